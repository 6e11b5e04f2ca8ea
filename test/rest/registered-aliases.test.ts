import { sql } from 'drizzle-orm';
import { beforeEach, describe, expect, it } from 'vitest';
import { createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { mutate, tryMutation } from '../support/mutations.ts';
import { type RestClient, useRest } from '../support/rest.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);
let graphql: Client;
let client: RestClient;

beforeEach(async () => {
  graphql = await tenantWithCustomer(service);
  client = rest.of(graphql);
});

const register = (...values: string[]) =>
  client.post('/aliases', { aliases: values.map((value) => ({ value })) });
const listed = async () =>
  (await client.get('/aliases')).body.data.map(({ value }: { value: string }) => value);

describe('POST /aliases', () => {
  it('registers values that name no account', async () => {
    const { status, body } = await register('b', 'a');
    expect(status).toBe(201);
    const createdAt = expect.any(String);
    expect(body).toEqual({
      data: [
        { value: 'b', createdAt },
        { value: 'a', createdAt },
      ],
    });
    expect(await listed()).toEqual(['a', 'b']);
    expect((await client.get('/aliases/a')).body).toEqual({ value: 'a', createdAt });
    expect((await graphql.send('{ accountByAlias(alias: "a") { id } }')).data.accountByAlias).toBeNull();
  });

  it('accepts 100 values of 255 characters', async () => {
    const values = Array.from({ length: 100 }, (_, index) => String(index).padStart(255, 'x'));
    expect((await register(...values)).status).toBe(201);
    expect((await client.get('/aliases?pageSize=60')).body.data).toHaveLength(60);
  });

  it.each([
    ['no value', []],
    ['101 values', Array.from({ length: 101 }, (_, index) => `v${index}`)],
    ['a value twice', ['a', 'a']],
    ['a value of 256 characters', ['x'.repeat(256)]],
    ['an invisible character', ['a\u200b']],
  ])('refuses %s', async (_, values) => {
    const { status, headers } = await register(...values);
    expect([status, headers.get('x-error-code')]).toEqual([400, 'INVALID_INPUT']);
    expect(await listed()).toEqual([]);
  });

  it.each([
    ['an alias in force', 'held', 'ALIAS_TAKEN'],
    ['an alias that begins later', 'later', 'ALIAS_TAKEN'],
    ['the id of an account', 'A1', 'ALIAS_TAKEN'],
    ['a registered value', 'known', 'INVALID_INPUT'],
  ])('refuses %s, and registers nothing', async (_, value, code) => {
    await createAccount(graphql, {
      id: 'A1',
      aliases: ['held'],
      datedAliases: [{ value: 'later', effectiveFrom: '2999-01-01T00:00:00Z' }],
    });
    await register('known');
    const { status, headers } = await register('new', value);
    expect([status, headers.get('x-error-code')]).toEqual([400, code]);
    expect(await listed()).toEqual(['held', 'known']);
  });

  it('is replayed for its idempotency key', async () => {
    const send = () => client.post('/aliases', { aliases: [{ value: 'a' }] }, { 'Idempotency-Key': 'k' });
    const first = await send();
    const second = await send();
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(second.body).toEqual(first.body);
  });

  it('registers a value once for concurrent requests', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => register('a')));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(await listed()).toEqual(['a']);
  });

  it('accepts a value that another tenant registered, and does not show it', async () => {
    await register('a');
    const other = rest.of(await tenantWithCustomer(service));
    expect((await other.get('/aliases')).body.data).toEqual([]);
    expect((await other.get('/aliases/a')).status).toBe(404);
    expect((await other.post('/aliases', { aliases: [{ value: 'a' }] })).status).toBe(201);
  });
});

describe('a registered value', () => {
  beforeEach(() => register('x'));

  it.each([
    ['createAccount', () => createAccount(graphql, { id: 'A1', aliases: ['x'] })],
    ['createAccount with it as an id', () => createAccount(graphql, { id: 'x' })],
    [
      'createCustomer',
      () => createCustomer(graphql, { id: 'C9', account: { id: 'A1', name: 'First', aliases: ['x'] } }),
    ],
    [
      'addAliases',
      async () => {
        await createAccount(graphql, { id: 'A1' });
        await mutate(graphql, 'addAliases', { accountId: 'A1', aliases: ['x'] });
      },
    ],
  ])('becomes an alias or id of an account through %s', async (_, claim) => {
    await claim();
    expect((await graphql.send('{ accountByAlias(alias: "x") { id } }')).data.accountByAlias).not.toBeNull();
    await graphql.send('mutation { archiveAccount(input: { id: "A1" }) { __typename } }');
    expect(await listed()).toEqual([]);
  });

  it('stays registered if the account is refused', async () => {
    const refused = await tryMutation(graphql, 'createAccount', {
      id: 'A1',
      name: 'Main account',
      customerId: 'nobody',
      aliases: ['x'],
    });
    expect(refused.code).toBe('NOT_FOUND');
    expect(await listed()).toEqual(['x']);
  });

  it('is deleted by DELETE', async () => {
    expect((await client.delete('/aliases/x')).body).toEqual({ success: true });
    expect(await listed()).toEqual([]);
    expect((await client.delete('/aliases/x')).status).toBe(404);
  });

  it('is read and deleted by a path with a plus', async () => {
    await register('user+tag');
    await createAccount(graphql, { id: 'A1', aliases: ['user tag'] });
    expect((await client.get('/aliases/user+tag')).body.value).toBe('user+tag');
    expect((await client.delete('/aliases/user+tag')).body).toEqual({ success: true });
    expect((await client.get('/aliases/user%20tag')).status).toBe(200);
    expect((await client.get('/aliases/user%2Btag')).status).toBe(404);
  });

  it('is listed once and ends with the alias if an account gets it concurrently', async () => {
    await createAccount(graphql, { id: 'A1', aliases: ['y'] });
    // A createAccount whose snapshot precedes the commit of the registration leaves both rows.
    await service.database.orm.execute(
      sql`insert into registered_aliases (tenant_id, value, created_at) values (${graphql.tenantId}, 'y', now())`,
    );
    expect(await listed()).toEqual(['x', 'y']);
    expect((await client.delete('/aliases/y')).body).toEqual({ success: true });
    expect((await graphql.send('{ accountByAlias(alias: "y") { id } }')).data.accountByAlias).toBeNull();
    expect(await listed()).toEqual(['x']);
  });

  it('is listed in order with the aliases in force, across pages', async () => {
    await createAccount(graphql, { id: 'A1', aliases: ['w', 'y'] });
    const first = (await client.get('/aliases?pageSize=2')).body;
    const second = (await client.get(`/aliases?nextToken=${first.nextToken}`)).body;
    expect([...first.data, ...second.data].map(({ value }) => value)).toEqual(['w', 'x', 'y']);
    expect(second.nextToken).toBeUndefined();
  });
});
