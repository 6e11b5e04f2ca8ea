import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTrustedDocuments } from '../../src/pipeline/manifest.ts';
import { createCustomer } from '../support/fixtures.ts';
import { json, sendRaw } from '../support/http.ts';
import { expectRequestError } from '../support/refusal.ts';
import { type Client, type Service, useService } from '../support/service.ts';

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
const query = 'query Me { viewer { keyName } }';
const persisted = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } });
const me = { status: 200, data: { viewer: { keyName: 'test' } } };

const post = (service: Service, client: Client, body: object) =>
  sendRaw(service, client, { headers: json, body: JSON.stringify(body) });

describe('an automatic persisted query', () => {
  const service = useService();

  it('is unknown until it is sent with its text, and then found by GET', async () => {
    const client = await service.newTenant();
    const hash = hashOf(query);
    const missing = await post(service, client, persisted(hash));
    expectRequestError(missing, 200, 'PERSISTED_QUERY_NOT_FOUND');
    expect(missing.errors[0].message).toBe('PersistedQueryNotFound');
    expect(missing.headers.get('cache-control')).toMatch(/no-cache/);

    expect(await post(service, client, { query, ...persisted(hash) })).toMatchObject(me);
    expect(await post(service, client, persisted(hash))).toMatchObject(me);
    const path = `/graphql?extensions=${encodeURIComponent(JSON.stringify(persisted(hash).extensions))}`;
    for (const headers of [{}, { 'apollo-federation-include-trace': 'ftv1' }] as Record<string, string>[]) {
      expect(await sendRaw(service, client, { method: 'GET', path, headers })).toMatchObject(me);
    }
  });

  it('is stored only for the tenant that sent it', async () => {
    const [one, other] = [await service.newTenant(), await service.newTenant()];
    const text = `query Q_${randomUUID().replaceAll('-', '')} { viewer { keyName } }`;
    expect(await post(service, one, { query: text, ...persisted(hashOf(text)) })).toMatchObject(me);
    expectRequestError(await post(service, other, persisted(hashOf(text))), 200, 'PERSISTED_QUERY_NOT_FOUND');
  });

  it.each([
    ['of another document', hashOf('{ __typename }')],
    ['in capitals', hashOf(query).toUpperCase()],
    ['that is invalid', 'x'],
  ])('is rejected with a hash %s', async (_, hash) => {
    const client = await service.newTenant();
    expectRequestError(await post(service, client, { query, ...persisted(hash) }), 400, 'BAD_REQUEST');
    expectRequestError(await post(service, client, persisted(hash)), 200, 'PERSISTED_QUERY_NOT_FOUND');
  });

  it('is evicted, the oldest first, beyond the memory limit', async () => {
    const client = await service.newTenant();
    const texts = Array.from({ length: 180 }, (_, n) => `{ __typename } # ${n} ${' '.repeat(95_000)}`);
    for (const text of texts) await post(service, client, { query: text, ...persisted(hashOf(text)) });
    const [first, last] = [texts[0], texts.at(-1)].map((text = '') => persisted(hashOf(text)));
    expectRequestError(await post(service, client, first ?? {}), 200, 'PERSISTED_QUERY_NOT_FOUND');
    expect(await post(service, client, last ?? {})).toMatchObject({ data: { __typename: 'Query' } });
  });

  it('cannot be a mutation by GET', async () => {
    const client = await service.newTenant();
    await createCustomer(client);
    const mutation = 'mutation { archiveCustomer(input: { id: "C1" }) { __typename } }';
    const bad = { query: `${mutation} #`, ...persisted(hashOf(mutation)) };
    expectRequestError(await post(service, client, bad), 400, 'BAD_REQUEST');
    const known = await post(service, client, { query: mutation, ...persisted(hashOf(mutation)) });
    expect(known.data.archiveCustomer.__typename).toBe('ArchiveCustomerSuccess');
    await client.send('mutation { restoreCustomer(input: { id: "C1" }) { __typename } }');
    const path = `/graphql?extensions=${encodeURIComponent(JSON.stringify(persisted(hashOf(mutation)).extensions))}`;
    expectRequestError(await sendRaw(service, client, { method: 'GET', path }), 405, 'BAD_REQUEST');
    const { data } = await client.send('{ customer(id: "C1") { status } }');
    expect(data.customer.status).toBe('ACTIVE');
  });
});

describe.each([
  ['if others are allowed', false],
  ['if no others are allowed', true],
])('a trusted document, %s', (_, trustedOnly) => {
  const trusted = new Map([
    ['me', query],
    [hashOf(query), query],
  ]);
  const service = useService({ documents: { trusted, trustedOnly } });

  it('is run by its id, also by GET', async () => {
    const client = await service.newTenant();
    for (const documentId of ['me', hashOf(query), `sha256:${hashOf(query)}`]) {
      expect(await post(service, client, { documentId })).toMatchObject(me);
    }
    expect(await post(service, client, persisted(hashOf(query)))).toMatchObject(me);
    expect(await sendRaw(service, client, { method: 'GET', path: '/graphql?documentId=me' })).toMatchObject(
      me,
    );
  });

  it('takes precedence over a query that is sent with the id', async () => {
    const client = await service.newTenant();
    const answer = await post(service, client, { documentId: 'me', query: '{ __typename }' });
    expect(answer).toMatchObject(me);
  });

  it('is not found by an unknown id', async () => {
    const client = await service.newTenant();
    for (const documentId of ['you', '__proto__', 'constructor']) {
      expectRequestError(await post(service, client, { documentId }), 200, 'PERSISTED_QUERY_NOT_FOUND');
    }
  });

  it(`${trustedOnly ? 'excludes' : 'allows'} every other document`, async () => {
    const client = await service.newTenant();
    const answer = await post(service, client, { query });
    if (trustedOnly) expectRequestError(answer, 400, 'PERSISTED_QUERY_REQUIRED');
    else expect(answer).toMatchObject(me);
    const other = '{ viewer { scopes } }';
    const automatic = await post(service, client, { query: other, ...persisted(hashOf(other)) });
    if (trustedOnly) expectRequestError(automatic, 200, 'PERSISTED_QUERY_NOT_FOUND');
    else expect(automatic).toMatchObject({ status: 200, data: { viewer: { scopes: expect.any(Array) } } });
  });
});

describe('a manifest of trusted documents', () => {
  const written = async (text: string) => {
    const path = join(await mkdtemp(join(tmpdir(), 'manifest-')), 'documents.json');
    await writeFile(path, text);
    return path;
  };

  it.each([
    ['a JSON object of documents by id', { me: query }],
    [
      'a manifest of Apollo',
      {
        format: 'apollo-persisted-query-manifest',
        version: 1,
        operations: [{ id: 'me', name: 'Me', type: 'query', body: query }],
      },
    ],
  ])('may be %s', async (_, manifest) => {
    expect([...(await readTrustedDocuments(await written(JSON.stringify(manifest))))]).toEqual([
      ['me', query],
    ]);
  });

  it('is optional', async () => {
    expect((await readTrustedDocuments(undefined)).size).toBe(0);
  });

  it.each(['', '{', '[]', '{"me": 1}', 'null'])('is rejected if it is %j', async (text) => {
    await expect(readTrustedDocuments(await written(text))).rejects.toThrow(
      /^TRUSTED_DOCUMENTS names .*documents\.json, which is neither/,
    );
  });

  it('is rejected if the file does not exist', async () => {
    await expect(readTrustedDocuments('/nowhere.json')).rejects.toThrow(/which cannot be read: ENOENT/);
  });
});
