import { describe, expect, it } from 'vitest';
import { accountIdByAlias, accountInput, customerInput, tenantWithCustomer } from '../support/account.ts';
import { listOf } from '../support/limits.ts';
import {
  accepted,
  aliasValues,
  atOnce,
  createBatch,
  mutate,
  mutated,
  refused,
} from '../support/mutations.ts';
import { type RestAnswer, type RestClient, useRest } from '../support/rest.ts';
import { type Json, useService } from '../support/service.ts';
import { changesOfAccount, stored } from '../support/stored.ts';

const service = useService();
const rest = useRest(service);

const y2001 = '2001-01-01T00:00:00.000Z';
const y2010 = '2010-01-01T00:00:00.000Z';
const y2900 = '2900-01-01T00:00:00.000Z';
const y2950 = '2950-01-01T00:00:00.000Z';
const span = (value: string, effectiveFrom?: string, effectiveUntil?: string) => ({
  value,
  ...(effectiveFrom && { effectiveFrom }),
  ...(effectiveUntil && { effectiveUntil }),
});
const justBefore = (instant: string) => new Date(Date.parse(instant) - 1).toISOString();

interface Lists {
  aliases?: string[];
  dated?: object[];
}

type Outcome = { code: string; message: string };
type Send = (id: string, lists: Lists, idempotencyKey?: string) => Promise<Outcome>;

/** The writes of aliases over one API. Each returns the code of its refusal, or ACCEPTED or REPLAYED. */
interface Api {
  add: Send;
  create: Send;
  createWithCustomer: Send;
  remove(id: string, value: string): Promise<unknown>;
  archive(id: string): Promise<unknown>;
}

function graphqlApi({ graphql: client }: RestClient): Api {
  const outcome = ({ replayed, code, message }: Json): Outcome =>
    replayed === undefined ? { code, message } : { code: replayed ? 'REPLAYED' : 'ACCEPTED', message: '' };
  const names = ({ aliases, dated }: Lists) => ({ aliases, datedAliases: dated });
  return {
    add: async (accountId, lists, idempotencyKey) =>
      outcome(await mutate(client, 'addAliases', { accountId, ...names(lists), idempotencyKey })),
    create: async (id, lists, idempotencyKey) =>
      outcome(await mutate(client, 'createAccount', accountInput({ id, ...names(lists), idempotencyKey }))),
    createWithCustomer: async (id, lists, idempotencyKey) => {
      const account = { id, name: 'First', ...names(lists) };
      const input = customerInput({ id: `C-${id}`, account, idempotencyKey });
      return outcome(await mutate(client, 'createCustomer', input));
    },
    remove: (accountId, value) => mutated(client, 'removeAliases', { accountId, aliases: [value] }),
    archive: (id) => mutated(client, 'archiveAccount', { id }),
  };
}

function restApi(client: RestClient): Api {
  const outcome = ({ status, headers, body }: RestAnswer): Outcome => {
    if (status >= 400) return { code: headers.get('x-error-code') ?? '', message: body.message };
    return { code: headers.has('idempotent-replayed') ? 'REPLAYED' : 'ACCEPTED', message: '' };
  };
  const done = ({ status, body }: RestAnswer) => {
    if (status >= 400) throw new Error(JSON.stringify(body));
  };
  const names = ({ aliases, dated }: Lists) => ({ aliases, accountAliases: dated });
  const post = async (path: string, body: object, key?: string) =>
    outcome(await client.post(path, body, key === undefined ? {} : { 'Idempotency-Key': key }));
  return {
    add: (id, lists, key) => post(`/accounts/${id}/add_aliases`, names(lists), key),
    create: (id, lists, key) => post('/accounts', accountInput({ id, ...names(lists) }), key),
    createWithCustomer: (id, lists, key) => {
      const account = { id, name: 'First', ...names(lists) };
      return post('/customers', customerInput({ id: `C-${id}`, account }), key);
    },
    remove: async (id, value) =>
      done(await client.post(`/accounts/${id}/remove_aliases`, { aliases: [value] })),
    archive: async (id) => done(await client.delete(`/accounts/${id}`)),
  };
}

const apis = { GraphQL: graphqlApi, REST: restApi };
const ways = ['add', 'create', 'createWithCustomer'] as const;

interface World {
  client: RestClient;
  api: Api;
}

/** A tenant with the customer C1 and the accounts A1 and A2, without aliases. */
async function newWorld(name: keyof typeof apis): Promise<World> {
  const client = rest.of(await tenantWithCustomer(service));
  await createBatch(client.graphql, [accountInput(), accountInput({ id: 'A2' })]);
  return { client, api: apis[name](client) };
}

const timelineDocument = `query($id: ID!) { account(id: $id) {
  aliasTimeline { nodes { value effectiveFrom effectiveUntil } } } }`;

/** The spans of an account as `[value, effectiveFrom, effectiveUntil]`. */
async function spansOf({ client }: World, id: string): Promise<Json[]> {
  const { data } = await client.graphql.send(timelineDocument, { id });
  const { nodes } = data.account.aliasTimeline;
  return nodes.map(({ value, effectiveFrom, effectiveUntil }: Json) => [
    value,
    effectiveFrom,
    effectiveUntil,
  ]);
}

async function endOf(world: World, id: string, value: string): Promise<string> {
  const found = (await spansOf(world, id)).filter(([name]) => name === value);
  return found
    .map(([, , until]) => until)
    .toSorted()
    .at(-1);
}

const claim = (api: Api, way: (typeof ways)[number], lists: Lists, key?: string) =>
  api[way](way === 'add' ? 'A2' : 'N', lists, key);
const claimant = (way: (typeof ways)[number]) => (way === 'add' ? 'A2' : 'N');

describe.each(Object.keys(apis) as (keyof typeof apis)[])('over %s, a plain alias', (name) => {
  it.each(ways)('begins when another account removed it: %s', async (way) => {
    const world = await newWorld(name);
    const { client, api } = world;
    await api.add('A1', { aliases: ['x'] });
    await api.remove('A1', 'x');
    const end = await endOf(world, 'A1', 'x');
    expect(await claim(api, way, { aliases: ['new', 'x'] })).toMatchObject({ code: 'ACCEPTED' });
    const id = claimant(way);
    expect(await spansOf(world, id)).toEqual([
      ['new', null, null],
      ['x', end, null],
    ]);
    expect(await accountIdByAlias(client.graphql, 'x', justBefore(end))).toBe('A1');
    expect(await accountIdByAlias(client.graphql, 'x', end)).toBe(id);
    expect(await accountIdByAlias(client.graphql, 'x')).toBe(id);
    const last = (await changesOfAccount(service, client.graphql, id)).at(-1);
    expect(last.after.aliases).toContainEqual({ value: 'x', effectiveFrom: end, effectiveUntil: null });
  });

  it.each(ways)('begins when the account that had it was archived: %s', async (way) => {
    const world = await newWorld(name);
    await world.api.add('A1', { aliases: ['x'] });
    await world.api.archive('A1');
    expect(await claim(world.api, way, { aliases: ['x'] })).toMatchObject({ code: 'ACCEPTED' });
    const end = await endOf(world, 'A1', 'x');
    expect(await spansOf(world, claimant(way))).toEqual([['x', end, null]]);
  });

  it('begins when the same account removed it, as often as that happens', async () => {
    const world = await newWorld(name);
    for (const _ of listOf(3, String)) {
      expect(await world.api.add('A1', { aliases: ['x'] })).toMatchObject({ code: 'ACCEPTED' });
      await world.api.remove('A1', 'x');
    }
    const [first, second, third] = await spansOf(world, 'A1');
    expect([first[1], second[1], third[1]]).toEqual([null, first[2], second[2]]);
  });

  it.each(ways)('with an end of its own begins after the last past span: %s', async (way) => {
    const world = await newWorld(name);
    const { api } = world;
    await api.add('A1', { dated: [span('x', undefined, y2001), span('y', y2001, y2010)] });
    const dated = [span('x', undefined, y2010), span('y', undefined, y2900)];
    expect(await claim(api, way, { dated })).toMatchObject({ code: 'ACCEPTED' });
    expect(await spansOf(world, claimant(way))).toEqual([
      ['x', y2001, y2010],
      ['y', y2010, y2900],
    ]);
  });

  it.each(ways)('is refused if the last past span ends with it or later: %s', async (way) => {
    const { api } = await newWorld(name);
    await api.add('A1', { dated: [span('x', y2001, y2010)] });
    for (const until of [y2010, justBefore(y2010)]) {
      const { code, message } = await claim(api, way, { dated: [span('x', undefined, until)] });
      expect(code).toBe('ALIAS_TAKEN');
      expect(message).not.toContain('effective');
    }
  });

  it.each(ways)('that is in use now is refused without a hint, whoever has it: %s', async (way) => {
    const { api } = await newWorld(name);
    await api.add('A1', { aliases: ['x'], dated: [span('y', y2001, y2900), span('z', undefined, y2010)] });
    await api.add('A2', { aliases: ['own'] });
    for (const value of ['x', 'y', 'own', 'A1']) {
      const { code, message } = await claim(api, way, { aliases: ['z', value] });
      expect(code).toBe('ALIAS_TAKEN');
      expect(message).toContain(JSON.stringify(value));
      expect(message).not.toMatch(/effective|"z"/);
    }
  });

  it.each(ways)('that is in use later is refused with the effectiveUntil that helps: %s', async (way) => {
    const world = await newWorld(name);
    const { api } = world;
    await api.add('A1', { dated: [span('x', undefined, y2001), span('x', y2900, y2950)] });
    const { code, message } = await claim(api, way, { aliases: ['x'] });
    expect(code).toBe('ALIAS_TAKEN');
    expect(message).toContain(`Give "x" an effectiveUntil of ${y2900} or earlier.`);
    expect(message).not.toContain('effectiveFrom');
    const helped = { dated: [span('x', undefined, y2900)] };
    expect(await claim(api, way, helped)).toMatchObject({ code: 'ACCEPTED' });
    expect(await spansOf(world, claimant(way))).toEqual([['x', y2001, y2900]]);
  });

  it.each(ways)('with a beginning is refused with the effectiveFrom that helps: %s', async (way) => {
    const { api } = await newWorld(name);
    await api.add('A1', { dated: [span('x', undefined, y2010), span('y', y2900, y2950)] });
    const { code, message } = await claim(api, way, { dated: [span('x', y2001), span('y', y2900)] });
    expect(code).toBe('ALIAS_TAKEN');
    expect(message).toContain(`Give "x" an effectiveFrom of ${y2010} or later.`);
    expect(message).toContain(`Give "y" an effectiveFrom of ${y2950} or later.`);
    const helped = { dated: [span('x', y2010), span('y', y2950)] };
    expect(await claim(api, way, helped)).toMatchObject({ code: 'ACCEPTED' });
  });

  it('is refused without a hint if another one of the request cannot be helped', async () => {
    const { api } = await newWorld(name);
    await api.add('A1', { aliases: ['now'], dated: [span('past', undefined, y2010)] });
    const { code, message } = await api.add('A2', { aliases: ['now'], dated: [span('past', y2001)] });
    expect(code).toBe('ALIAS_TAKEN');
    expect(message).not.toContain('effective');
  });

  it('may be given twice for spans that do not overlap, and no other way', async () => {
    const world = await newWorld(name);
    const { api } = world;
    await api.add('A1', { dated: [span('x', undefined, y2001)] });
    const twice = { dated: [span('x', undefined, y2010), span('x', y2900)] };
    expect(await api.add('A2', twice)).toMatchObject({ code: 'ACCEPTED' });
    expect(await spansOf(world, 'A2')).toEqual([
      ['x', y2001, y2010],
      ['x', y2900, null],
    ]);
    const overlapping = { aliases: ['y'], dated: [span('y', undefined, y2010)] };
    expect(await api.add('A2', overlapping)).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it.each(ways)('is replayed with the beginning that was stored: %s', async (way) => {
    const world = await newWorld(name);
    const { api } = world;
    await api.add('A1', { aliases: ['x'] });
    await api.remove('A1', 'x');
    expect(await claim(api, way, { aliases: ['x'] }, 'k')).toMatchObject({ code: 'ACCEPTED' });
    const spans = await spansOf(world, claimant(way));
    expect(await claim(api, way, { aliases: ['x'] }, 'k')).toMatchObject({ code: 'REPLAYED' });
    expect(await spansOf(world, claimant(way))).toEqual(spans);
    const { idempotency_records: records } = await stored(service, world.client.graphql);
    const effectiveFrom = await endOf(world, 'A1', 'x');
    expect(records).toMatchObject([{ key: 'k' }]);
    expect(JSON.stringify(records[0].answer)).toContain(`"effectiveFrom":"${effectiveFrom}"`);
  });

  it('becomes the id of a new account, which begins when the alias ended', async () => {
    const world = await newWorld(name);
    const { client, api } = world;
    await api.add('A1', { aliases: ['N'] });
    await api.remove('A1', 'N');
    const end = await endOf(world, 'A1', 'N');
    expect(await api.create('N', { aliases: ['N', 'x'] })).toMatchObject({ code: 'ACCEPTED' });
    expect(await accountIdByAlias(client.graphql, 'N', justBefore(end))).toBe('A1');
    expect(await accountIdByAlias(client.graphql, 'N', end)).toBe('N');
    expect(await spansOf(world, 'N')).toEqual([['x', null, null]]);
    expect(await api.create('N', {})).toMatchObject({ code: 'ID_TAKEN' });
    expect(await api.createWithCustomer('A2', {})).toMatchObject({ code: 'ID_TAKEN' });
    const over = { alias: 'N', toAccountId: 'N', effectiveFrom: y2001 };
    expect(await mutate(client.graphql, 'transferAlias', over)).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await api.createWithCustomer('M', {})).toMatchObject({ code: 'ACCEPTED' });
  });
});

describe('one answer', () => {
  it('shows and replays the beginning that was stored', async () => {
    const { client } = await newWorld('GraphQL');
    await mutated(client.graphql, 'addAliases', { accountId: 'A1', aliases: ['x', 'y'] });
    await mutated(client.graphql, 'archiveAccount', { id: 'A1' });
    const { effectiveUntil: end } = (await stored(service, client.graphql)).aliases
      .map(({ effective_until }) => ({ effectiveUntil: new Date(effective_until) }))
      .find(({ effectiveUntil }) => Number.isFinite(effectiveUntil.getTime())) ?? {
      effectiveUntil: undefined,
    };
    const added = { accountId: 'A2', aliases: ['x'], idempotencyKey: 'a' };
    const created = accountInput({ id: 'N', aliases: ['y'], idempotencyKey: 'c' });
    for (const replayed of [false, true]) {
      for (const [name, input] of [['addAliases', added] as const, ['createAccount', created] as const]) {
        const result = await mutate(client.graphql, name, input);
        expect(result).toMatchObject({ replayed });
        expect(result.account.aliases).toMatchObject([{ effectiveFrom: end?.toISOString() }]);
      }
    }
  });

  it('has a value removed and added by mutations of one document, at one instant', async () => {
    const world = await newWorld('GraphQL');
    const { client, api } = world;
    await api.add('A1', { aliases: ['x'] });
    const { data } = await client.graphql.send(`mutation {
      removeAliases(input: { accountId: "A1", aliases: ["x"] }) { __typename }
      addAliases(input: { accountId: "A2", aliases: ["x"] }) {
        __typename ... on AddAliasesSuccess { account { aliases { value } } } } }`);
    expect(data.addAliases).toEqual({
      __typename: 'AddAliasesSuccess',
      account: { aliases: [{ value: 'x' }] },
    });
    expect(await spansOf(world, 'A2')).toEqual([['x', await endOf(world, 'A1', 'x'), null]]);
  });
});

describe('createAccounts', () => {
  it('begins each claim after the past spans of the tenant and of the accounts before it', async () => {
    const world = await newWorld('GraphQL');
    const { client, api } = world;
    await api.add('A1', { aliases: ['old'], dated: [span('now'), span('N5', undefined, y2010)] });
    await api.remove('A1', 'old');
    const results = await createBatch(client.graphql, [
      accountInput({ id: 'N1', aliases: ['old'] }),
      accountInput({ id: 'N2', aliases: ['now'] }),
      accountInput({ id: 'N3', datedAliases: [span('x', undefined, y2001)] }),
      accountInput({ id: 'N4', aliases: ['x', 'old'] }),
      accountInput({ id: 'N5' }),
      accountInput({ id: 'N6', aliases: ['x'] }),
    ]);
    const codes = results.map(({ code }) => code ?? 'CREATED');
    expect(codes).toEqual(['CREATED', 'ALIAS_TAKEN', 'CREATED', 'ALIAS_TAKEN', 'CREATED', 'CREATED']);
    expect(await spansOf(world, 'N1')).toEqual([['old', await endOf(world, 'A1', 'old'), null]]);
    expect(await spansOf(world, 'N6')).toEqual([['x', y2001, null]]);
    expect(await accountIdByAlias(client.graphql, 'N5', y2001)).toBe('A1');
    expect(await accountIdByAlias(client.graphql, 'N5', y2010)).toBe('N5');
  });
});

describe('restoreAccount and transferAlias', () => {
  it('bring back and move values that others had for a while', async () => {
    const world = await newWorld('GraphQL');
    const { client, api } = world;
    await api.add('A1', { aliases: ['x'] });
    await api.archive('A1');
    await api.add('A2', { aliases: ['x'] });
    const restore = () => mutate(client.graphql, 'restoreAccount', { id: 'A1' });
    const { code, message } = await restore();
    expect(code).toBe('ALIAS_TAKEN');
    expect(message).not.toContain('effective');
    await api.remove('A2', 'x');
    expect(await restore()).toMatchObject({ replayed: false });
    expect(await aliasValues(client.graphql, 'A1')).toEqual(['x']);
    await mutated(client.graphql, 'transferAlias', { alias: 'x', toAccountId: 'A2' });
    await api.remove('A2', 'x');
    expect(await api.add('A1', { aliases: ['x'] })).toMatchObject({ code: 'ACCEPTED' });
    expect(await accountIdByAlias(client.graphql, 'x')).toBe('A1');
  });

  it('gives no hint for aliases that another account has later', async () => {
    const { client, api } = await newWorld('GraphQL');
    await api.add('A1', { aliases: ['x'] });
    await api.archive('A1');
    await api.add('A2', { dated: [span('x', y2900)] });
    const { code, message } = await mutate(client.graphql, 'restoreAccount', { id: 'A1' });
    expect(code).toBe('ALIAS_TAKEN');
    expect(message).not.toContain('effective');
  });
});

describe('of many requests at once', () => {
  it.each(['addAliases', 'createAccount', 'id'])('one gets a freed value: %s', async (way) => {
    const { client, api } = await newWorld('GraphQL');
    await createBatch(
      client.graphql,
      listOf(10, (index) => accountInput({ id: `B-${index}` })),
    );
    await api.add('A1', { aliases: ['prize'] });
    await api.remove('A1', 'prize');
    const results = await atOnce(10, (runner) => {
      if (way === 'addAliases' || (way === 'id' && runner % 2 === 0))
        return mutate(client.graphql, 'addAliases', { accountId: `B-${runner}`, aliases: ['prize'] });
      const input = way === 'id' ? { id: 'prize' } : { id: `N-${runner}`, aliases: ['prize'] };
      return mutate(client.graphql, 'createAccount', accountInput(input));
    });
    expect(accepted(results)).toHaveLength(1);
    for (const { code } of refused(results)) expect(code).toMatch(/^(ALIAS|ID)_TAKEN$/);
    const holder = await accountIdByAlias(client.graphql, 'prize');
    expect(accepted(results).map(({ account }) => account.id)).toEqual([holder]);
  });

  it('each gets its own result when some claim freed values, and some claim values in use', async () => {
    const world = await newWorld('GraphQL');
    const { client, api } = world;
    const values = listOf(5, (index) => `freed-${index}`);
    await api.add('A1', { aliases: values });
    await api.archive('A1');
    await api.add('A2', { aliases: ['taken'] });
    const results = await atOnce(20, (index) => {
      const aliases = [index % 4 === 0 ? `freed-${index / 4}` : index % 4 === 1 ? 'taken' : `new-${index}`];
      return mutate(client.graphql, 'createAccount', accountInput({ id: `N-${index}`, aliases }));
    });
    for (const [index, { code }] of results.entries()) {
      expect([index, code]).toEqual([index, index % 4 === 1 ? 'ALIAS_TAKEN' : undefined]);
    }
    const end = await endOf(world, 'A1', 'freed-0');
    expect(await spansOf(world, 'N-0')).toEqual([['freed-0', end, null]]);
    expect(await spansOf(world, 'N-2')).toEqual([['new-2', null, null]]);
  });
});

describe('the limit of 100 aliases in force', () => {
  const tens = listOf(10, (ten) => listOf(10, (one) => `v${ten}-${one}`));

  it('leaves out removed aliases that had no beginning', async () => {
    const { client, api } = await newWorld('GraphQL');
    const removeTen = (aliases: string[]) =>
      mutated(client.graphql, 'removeAliases', { accountId: 'A1', aliases });
    for (const aliases of tens) {
      expect(await api.add('A1', { aliases })).toMatchObject({ code: 'ACCEPTED' });
      await removeTen(aliases);
    }
    expect(await api.add('A1', { dated: [span('dated', y2001)] })).toMatchObject({ code: 'ACCEPTED' });
    for (const aliases of tens.slice(0, 9)) {
      expect(await api.add('A1', { aliases })).toMatchObject({ code: 'ACCEPTED' });
    }
    expect(await api.add('A1', { aliases: tens[9] ?? [] })).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    for (const aliases of tens.slice(0, 9)) await removeTen(aliases);
    for (const ten of listOf(9, (index) => index)) {
      const aliases = listOf(10, (one) => `w${ten}-${one}`);
      expect(await api.add('A1', { aliases })).toMatchObject({ code: 'ACCEPTED' });
    }
    const nine = { aliases: listOf(9, (one) => `z${one}`) };
    expect(await api.add('A1', nine)).toMatchObject({ code: 'ACCEPTED' });
    expect(await aliasValues(client.graphql, 'A1')).toHaveLength(100);
    expect(await api.add('A1', { aliases: ['more'] })).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('counts aliases that were removed but had a beginning, at an instant at which they were in force', async () => {
    const { client, api } = await newWorld('GraphQL');
    for (const values of tens) {
      await api.add('A1', { dated: values.map((value) => span(value, y2001)) });
      await mutated(client.graphql, 'removeAliases', { accountId: 'A1', aliases: values });
    }
    const past = { dated: [span('past', y2001, y2010)] };
    expect(await api.add('A1', past)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await api.add('A1', { aliases: ['plain'] })).toMatchObject({ code: 'ACCEPTED' });
  });
});
