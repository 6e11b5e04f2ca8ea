import { getIntrospectionQuery } from 'graphql';
import { beforeAll, describe, expect, it } from 'vitest';
import { tenantWithCustomer } from '../support/fixtures.ts';
import { json, sendRaw } from '../support/http.ts';
import { expectRequestError } from '../support/refusal.ts';
import { type Client, useService } from '../support/service.ts';

const create = 'mutation($input: CreateAccountInput!) { createAccount(input: $input) { __typename } }';
const badEnum = { input: { id: 'A1', name: 'Main', customerId: 'C1', status: 'ACTIV' } };

/** Requests whose errors could suggest a name of the schema. */
const guesses: [string, string, object][] = [
  ['a field', '{ viewer { keyNam } }', {}],
  ['an argument', '{ account(idd: "x") { id } }', {}],
  ['a type', '{ viewer { ... on Viewr { keyName } } }', {}],
  ['an enum value', '{ accounts(filter: { status: [ACTIV] }) { totalCount } }', {}],
  ['a field of an input', '{ accounts(filter: { countri: "US" }) { totalCount } }', {}],
  ['an enum value in variables', create, badEnum],
  ['a field in variables', create, { input: { ...badEnum.input, status: 'ACTIVE', nam: 'x' } }],
];
const accepts = ['application/json', 'application/graphql-response+json', 'multipart/mixed'];

describe('a service that exposes its schema', () => {
  const service = useService();
  let client: Client;
  beforeAll(async () => {
    client = await tenantWithCustomer(service);
  });

  it('returns the schema for introspection', async () => {
    const { data } = await client.send(getIntrospectionQuery());
    expect(data.__schema.queryType.name).toBe('Query');
  });

  it.each(guesses)('suggests %s in errors', async (_, query, variables) => {
    const { errors } = await client.send(query, variables);
    expect(errors[0].message).toContain('Did you mean');
  });

  it.each(guesses)('does not suggest %s without a valid token', async (_, query, variables) => {
    for (const authorization of ['', `Bearer agk_${'A'.repeat(32)}`]) {
      const body = JSON.stringify({ query, variables });
      const answer = await sendRaw(service, client, { headers: { ...json, authorization }, body });
      expectRequestError(answer, 401, 'UNAUTHENTICATED');
      expect(answer.text).not.toMatch(/did you mean|keyName|ACTIVE|Viewer/i);
    }
  });
});

describe('a service that hides its schema', () => {
  const service = useService({ exposesSchema: false });
  let client: Client;
  beforeAll(async () => {
    client = await tenantWithCustomer(service);
  });

  it.each([
    ['__schema', '{ __schema { types { name } } }'],
    ['__type', '{ __type(name: "Account") { fields { name } } }'],
    ['both in a fragment', '{ ...F } fragment F on Query { a: __schema { queryType { name } } }'],
    ['the full introspection query', getIntrospectionQuery()],
  ])('rejects introspection: %s', async (_, query) => {
    expectRequestError(await client.send(query), 400, 'GRAPHQL_VALIDATION_FAILED');
  });

  it.each(guesses)('does not suggest %s', async (_, query, variables) => {
    for (const accept of accepts) {
      for (const text of [query, query.replace(/ }$/, ' ... @defer { __typename } }')]) {
        const headers = { authorization: `Bearer ${client.token}`, ...json, accept };
        const body = JSON.stringify({ query: text, variables });
        const request = new Request('http://localhost/graphql', { method: 'POST', headers, body });
        const answer = await (await service.fetch(request)).text();
        expect(answer).toMatch(/"code":"(GRAPHQL_VALIDATION_FAILED|BAD_REQUEST)"/);
        expect(answer).not.toMatch(/did you mean/i);
      }
    }
  });

  it('returns __typename and the schema for gateways', async () => {
    const { data } = await client.send('{ __typename viewer { __typename } _service { sdl } }');
    expect(data).toMatchObject({ __typename: 'Query', viewer: { __typename: 'Viewer' } });
    expect(data._service.sdl).toContain('type Account implements Node @key(fields: "id")');
  });
});
