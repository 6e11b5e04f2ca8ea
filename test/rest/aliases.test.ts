import { describe, expect, it } from 'vitest';
import { tenantWithAccounts } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { accountIdByAlias, aliasValues } from '../support/reads.ts';
import { expectRefusal, type RestClient, useRest } from '../support/rest.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);

/** Creates a tenant where A1 has the aliases x and y, A2 has z, and A3 is archived. */
async function newClient(): Promise<RestClient> {
  return rest.of(await tenantWithAccounts(service));
}

async function spansOf(client: RestClient, id = 'A1'): Promise<Json[]> {
  return (await client.get(`/accounts/${id}/account_aliases`)).body.data;
}

const embedded = (body: Json) => (body.aliases ?? []).map(({ alias }: Json) => alias);
const past = '2020-01-01T00:00:00Z';
const future = '2190-01-01T00:00:00Z';

describe('POST /accounts/{id}/add_aliases', () => {
  it('adds plain and dated aliases with the instant formats of the Python and Ruby clients', async () => {
    const client = await newClient();
    const { status, body } = await client.post('/accounts/A1/add_aliases', {
      aliases: ['a'],
      accountAliases: [
        { value: 'b', effectiveFrom: '2022-06-04 00:00:00 UTC' },
        { value: 'c', effectiveFrom: '2022-06-04T05:30:00+05:30', effectiveUntil: '2023-01-01T00:00:00Z' },
      ],
    });
    expect(status).toBe(200);
    expect(embedded(body).toSorted()).toEqual(['a', 'b', 'x', 'y']);
    const spans = (await spansOf(client)).filter(({ value }) => 'abc'.includes(value));
    expect(spans).toMatchObject([
      { value: 'a', effectiveFrom: '1970-01-01T00:00:00Z', effectiveUntil: '9999-01-01T00:00:00Z' },
      { value: 'b', effectiveFrom: '2022-06-04T00:00:00.000Z', effectiveUntil: '9999-01-01T00:00:00Z' },
      { value: 'c', effectiveFrom: '2022-06-04T00:00:00.000Z', effectiveUntil: '2023-01-01T00:00:00.000Z' },
    ]);
  });

  it.each([
    [{}, 'INVALID_INPUT'],
    [{ aliases: [] }, 'INVALID_INPUT'],
    [{ aliases: [], accountAliases: [] }, 'INVALID_INPUT'],
    [{ aliases: ['z'] }, 'ALIAS_TAKEN'],
    [{ aliases: ['A2'] }, 'ALIAS_TAKEN'],
    [{ datedAliases: [{ value: 'a' }] }, 'INVALID_INPUT'],
    [{ accountAliases: [{ value: 'a', from: past }] }, 'INVALID_INPUT'],
    [{ aliases: ['a'], accountAliases: [{ value: 'a' }] }, 'INVALID_INPUT'],
  ])('rejects %j', async (body, code) => {
    const client = await newClient();
    expectRefusal(await client.post('/accounts/A1/add_aliases', body), 400, code);
    expect(await aliasValues(client.graphql, 'A1')).toEqual(['x', 'y']);
  });
});

describe('POST /accounts/{id}/remove_aliases', () => {
  it('ends aliases by value or by id', async () => {
    const client = await newClient();
    const [x, y] = await spansOf(client);
    const { status, body } = await client.post('/accounts/A1/remove_aliases', { aliases: ['x', y.id] });
    expect(status).toBe(200);
    expect(embedded(body)).toEqual([]);
    const ended = await spansOf(client);
    expect(ended.map(({ id }) => id)).toEqual([x.id, y.id]);
    for (const { effectiveUntil } of ended) expect(effectiveUntil).not.toMatch(/^9999/);
  });

  it('treats a value as a value even if it is the id of another alias', async () => {
    const client = await newClient();
    const [x] = await spansOf(client);
    await client.post('/accounts/A1/add_aliases', { aliases: [x.id] });
    const { body } = await client.post('/accounts/A1/remove_aliases', { aliases: [x.id] });
    expect(embedded(body)).toEqual(['x', 'y']);
  });

  it('ends one span of a value at an instant and keeps the others', async () => {
    const client = await newClient();
    await client.post('/accounts/A1/add_aliases', {
      accountAliases: [
        { value: 'twice', effectiveFrom: '2020-01-01T00:00:00Z', effectiveUntil: '2190-01-01T00:00:00Z' },
        { value: 'twice', effectiveFrom: '2191-01-01T00:00:00Z' },
      ],
    });
    const named = async () => (await spansOf(client)).filter(({ value }) => value === 'twice');
    const [first, second] = await named();
    const from = '2185-01-01T00:00:00.000Z';
    const once = await client.post('/accounts/A1/remove_aliases', {
      accountAliases: [{ id: first.id, from }],
    });
    expect(embedded(once.body)).toContain('twice');
    expect(await named()).toEqual([{ ...first, effectiveUntil: from }, second]);
    await client.post('/accounts/A1/remove_aliases', { accountAliases: [{ id: second.id }] });
    expect(await named()).toEqual([{ ...first, effectiveUntil: from }]);
  });

  it('ends an alias in the past', async () => {
    const client = await newClient();
    const [x] = await spansOf(client);
    await client.post('/accounts/A1/remove_aliases', { accountAliases: [{ id: x.id, from: past }] });
    expect(await accountIdByAlias(client.graphql, 'x', '2019-12-31T23:59:59Z')).toBe('A1');
    expect(await accountIdByAlias(client.graphql, 'x', past)).toBeUndefined();
  });

  it.each([
    [{}, 400, 'INVALID_INPUT'],
    [{ aliases: [], accountAliases: [] }, 400, 'INVALID_INPUT'],
    [{ aliases: ['z'] }, 404, 'NOT_FOUND'],
    [{ aliases: ['x', 'nothing'] }, 404, 'NOT_FOUND'],
    [{ aliases: ['A1'] }, 400, 'INVALID_INPUT'],
    [{ aliases: ['x', 'x'] }, 400, 'INVALID_INPUT'],
    [{ accountAliases: [{ id: 'alias_01m84fadmwe03rqpvwbebaam9z' }] }, 404, 'NOT_FOUND'],
    [{ accountAliases: [{ value: 'x' }] }, 400, 'INVALID_INPUT'],
  ])('rejects %j and ends nothing', async (body, status, code) => {
    const client = await newClient();
    expectRefusal(await client.post('/accounts/A1/remove_aliases', body), status, code);
    expect(await aliasValues(client.graphql, 'A1')).toEqual(['x', 'y']);
  });

  it('rejects an alias named twice, an end before the beginning, and an ended alias', async () => {
    const client = await newClient();
    const [x] = await spansOf(client);
    const twice = { aliases: ['x'], accountAliases: [{ id: x.id }] };
    expectRefusal(await client.post('/accounts/A1/remove_aliases', twice), 400, 'INVALID_INPUT');
    await client.post('/accounts/A1/add_aliases', { accountAliases: [{ value: 'w', effectiveFrom: past }] });
    const w = (await spansOf(client)).find(({ value }) => value === 'w');
    const before = { accountAliases: [{ id: w.id, from: '2019-01-01T00:00:00Z' }] };
    expectRefusal(await client.post('/accounts/A1/remove_aliases', before), 400, 'INVALID_INPUT');
    await client.post('/accounts/A1/remove_aliases', { aliases: ['w'] });
    const again = { accountAliases: [{ id: w.id }] };
    expectRefusal(await client.post('/accounts/A1/remove_aliases', again), 404, 'NOT_FOUND');
  });
});

it('returns stable ids in the pages of GET /accounts/{id}/account_aliases', async () => {
  const client = await newClient();
  const spans = await spansOf(client);
  expect(spans).toMatchObject([{ value: 'x' }, { value: 'y' }]);
  expect(await spansOf(client)).toEqual(spans);
  const first = await client.get('/accounts/A1/account_aliases?pageSize=1');
  expect(Object.keys(first.body).toSorted()).toEqual(['data', 'nextToken']);
  const second = await client.get(`/accounts/A1/account_aliases?nextToken=${first.body.nextToken}`);
  expect(second.body).toEqual({ data: [spans[1]] });
  expectRefusal(
    await client.get(`/accounts/A2/account_aliases?nextToken=${first.body.nextToken}`),
    400,
    'INVALID_INPUT',
  );
  expectRefusal(await client.get('/accounts/nobody/account_aliases'), 404, 'NOT_FOUND');
});

describe('/aliases', () => {
  it('lists the aliases in force of all accounts by value', async () => {
    const client = await newClient();
    const later = { accountId: 'A1', datedAliases: [{ value: 'later', effectiveFrom: future }] };
    await mutate(client.graphql, 'addAliases', later);
    const values: string[] = [];
    let page = await client.get('/aliases?pageSize=2');
    for (; page.body.nextToken; page = await client.get(`/aliases?nextToken=${page.body.nextToken}`)) {
      values.push(...page.body.data.map(({ value }: Json) => value));
    }
    values.push(...page.body.data.map(({ value }: Json) => value));
    expect(values).toEqual(['x', 'y', 'z']);
    expect(page.body.context).toEqual({ pageSize: 2, sortOrder: 'ASC' });
  });

  it('returns an alias in force', async () => {
    const client = await newClient();
    const { status, body } = await client.get('/aliases/z');
    expect({ status, body }).toEqual({ status: 200, body: { value: 'z', createdAt: expect.any(String) } });
    for (const none of ['old', 'A1', 'nothing']) {
      expectRefusal(await client.get(`/aliases/${none}`), 404, 'NOT_FOUND');
    }
  });

  it('ends an alias on any account, once for one Idempotency-Key', async () => {
    const client = await newClient();
    await mutate(client.graphql, 'transferAlias', { alias: 'x', toAccountId: 'A2' });
    const key = { 'Idempotency-Key': 'k' };
    expect(await client.delete('/aliases/x', key)).toMatchObject({ status: 200, body: { success: true } });
    expect(await aliasValues(client.graphql, 'A2')).toEqual(['z']);
    expect(await client.delete('/aliases/x', key)).toMatchObject({ status: 200, body: { success: true } });
    expectRefusal(await client.delete('/aliases/x'), 404, 'NOT_FOUND');
    expectRefusal(await client.delete('/aliases/A2'), 404, 'NOT_FOUND');
  });
});
