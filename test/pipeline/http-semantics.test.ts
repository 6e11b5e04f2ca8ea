import { describe, expect, it } from 'vitest';
import { createCustomer } from '../support/fixtures.ts';
import { json, sendRaw } from '../support/http.ts';
import { readAccount } from '../support/reads.ts';
import { expectAlive, expectNoInternals, expectRequestError } from '../support/refusal.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();
const good = JSON.stringify({ query: '{ viewer { keyName } }' });
const modern = 'application/graphql-response+json';
const legacy = 'application/json';

describe('the status and media type of a response', () => {
  const unparsable = JSON.stringify({ query: '{ viewer ' });
  const invalid = JSON.stringify({ query: '{ nothing }' });
  const badVariables = JSON.stringify({
    query: 'query($id: ID!) { account(id: $id) { id } }',
    variables: {},
  });
  const malformed = '{"query": ';

  it.each([
    ['a good request', good, modern, 200],
    ['a good request', good, legacy, 200],
    ['a good request', good, `${legacy};q=0.5, ${modern}`, 200],
    ['a good request', good, '*/*', 200],
    ['a document that does not parse', unparsable, modern, 400],
    ['a document that does not parse', unparsable, legacy, 200],
    ['a document that is not valid', invalid, modern, 400],
    ['a document that is not valid', invalid, legacy, 200],
    ['variables that do not fit', badVariables, modern, 400],
    ['variables that do not fit', badVariables, legacy, 200],
    ['malformed JSON', malformed, modern, 400],
    ['malformed JSON', malformed, legacy, 400],
  ])('is correct for %s (%s) with `Accept: %s`: %i', async (_, body, accept, status) => {
    const client = await service.newTenant();
    const answer = await sendRaw(service, client, { body, headers: { ...json, accept } });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toMatch(accept === modern ? modern : /json/);
    for (const error of answer.errors ?? []) {
      expect(error.extensions).toMatchObject({ code: expect.any(String), requestId: expect.any(String) });
    }
    expectNoInternals(answer);
  });

  it.each([modern, legacy])('is 401 without a token for `Accept: %s`', async (accept) => {
    const client = await service.newTenant();
    const headers = { ...json, accept, authorization: '' };
    expectRequestError(await sendRaw(service, client, { body: good, headers }), 401, 'UNAUTHENTICATED');
  });

  it('is 406 or JSON if the client accepts no supported type', async () => {
    const client = await service.newTenant();
    const headers = { authorization: `Bearer ${client.token}`, ...json, accept: 'image/png' };
    const request = new Request('http://localhost/graphql', { method: 'POST', headers, body: good });
    const { status } = await service.fetch(request);
    expect([200, 406]).toContain(status);
    await expectAlive(client);
  });
});

describe('GET', () => {
  it('runs a query', async () => {
    const client = await service.newTenant();
    const path = `/graphql?query=${encodeURIComponent('{ viewer { keyName } }')}`;
    const answer = await sendRaw(service, client, { method: 'GET', path });
    expect(answer).toMatchObject({ status: 200, data: { viewer: { keyName: 'test' } } });
  });

  it('rejects a mutation without running it', async () => {
    const client = await service.newTenant();
    await createCustomer(client);
    const mutation =
      'mutation { createAccount(input: { id: "A1", name: "Main", customerId: "C1" }) { __typename } }';
    const path = `/graphql?query=${encodeURIComponent(mutation)}`;
    expectRequestError(await sendRaw(service, client, { method: 'GET', path }), 405, 'BAD_REQUEST');
    expect(await readAccount(client, 'A1')).toBeNull();
  });

  it.each([
    '',
    '?query=',
    '?query=%7B',
    '?variables=%7B%7D',
    '?query=%7B__typename%7D&variables=x',
    '?query=%00',
  ])('rejects /graphql%s in JSON', async (search) => {
    const client = await service.newTenant();
    const answer = await sendRaw(service, client, { method: 'GET', path: `/graphql${search}` });
    expect(answer.status).toBe(400);
    expect(answer.errors[0].extensions).toMatchObject({
      code: expect.stringMatching(/^(BAD_REQUEST|GRAPHQL_PARSE_FAILED)$/),
      requestId: answer.headers.get('x-request-id'),
    });
    expectNoInternals(answer);
  });
});

it.each(['PUT', 'PATCH', 'DELETE'])('returns 405 in JSON for %s', async (method) => {
  const client = await service.newTenant();
  const answer = await sendRaw(service, client, { method, headers: json, body: good });
  expect(answer.status).toBe(405);
  expect(answer.errors[0].extensions).toMatchObject({ code: 'BAD_REQUEST', requestId: expect.any(String) });
});

it.each(['/', '/graphql/', '/graphql/x', '/nothing', '/../etc/passwd', '/%00', '/graphiql'])(
  'returns 404 in JSON for the path %s',
  async (path) => {
    const client = await service.newTenant();
    for (const method of ['GET', 'POST']) {
      const answer = await sendRaw(service, client, { method, path });
      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toMatch(/json/);
      expect(answer.headers.get('x-request-id')).toMatch(/\S/);
      expectNoInternals(answer);
    }
  },
);

describe('the request id', () => {
  const idsOf = (answer: { headers: Headers; errors: Json }) => [
    answer.headers.get('x-request-id'),
    answer.errors?.[0].extensions.requestId,
  ];

  it.each(['abc', 'A-1_b.c:9', 'x'.repeat(100)])('is that of the caller if it is "%s"', async (id) => {
    const client = await service.newTenant();
    expect(idsOf(await client.send('{ nothing }', {}, { 'x-request-id': id }))).toEqual([id, id]);
    expect(idsOf(await client.send('{ __typename }', {}, { 'x-request-id': id }))).toEqual([id, undefined]);
  });

  it.each(['', 'a b', 'x'.repeat(101), 'a,b', '{}', '"', 'ü', '<script>'])(
    'is generated if that of the caller is "%s"',
    async (id) => {
      const client = await service.newTenant();
      const [header, extension] = idsOf(await client.send('{ nothing }', {}, { 'x-request-id': id }));
      expect(header).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);
      expect(extension).toBe(header);
    },
  );

  it('differs for every request', async () => {
    const client = await service.newTenant();
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.send('{ nothing }')));
    const ids = answers.flatMap(idsOf);
    expect(new Set(ids).size).toBe(20);
  });
});
