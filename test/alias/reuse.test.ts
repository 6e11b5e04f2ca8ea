import { describe, expect, it, vi } from 'vitest';
import {
  type Api,
  apis,
  claimMutations,
  endOf,
  type Lists,
  spansOf,
  useAliasApis,
} from '../support/alias-api.ts';
import { changesOfAccount, stored } from '../support/database.ts';
import { listOf } from '../support/field-limits.ts';
import { accountInput } from '../support/fixtures.ts';
import { accepted, atOnce, mutate, refused, tryCreateAccounts, tryMutation } from '../support/mutations.ts';
import { accountIdByAlias, aliasValues } from '../support/reads.ts';
import { justBefore, span } from '../support/spans.ts';

const { service, newTenant } = useAliasApis();

const y2001 = '2001-01-01T00:00:00.000Z';
const y2010 = '2010-01-01T00:00:00.000Z';
const y2900 = '2900-01-01T00:00:00.000Z';
const y2950 = '2950-01-01T00:00:00.000Z';

/** Counts the lookups of existing spans during `work` and runs `then` after the first one. */
async function lookUps(work: () => Promise<void>, then: () => Promise<unknown> = async () => undefined) {
  const { database } = service;
  const run = database.run.bind(database);
  let count = 0;
  vi.spyOn(database, 'run').mockImplementation(async (statement, values) => {
    const rows = await run(statement, values);
    if (statement.name === 'standing_claims' && ++count === 1) await then();
    return rows;
  });
  try {
    await work();
  } finally {
    vi.restoreAllMocks();
  }
  return count;
}

const claim = (api: Api, way: (typeof claimMutations)[number], lists: Lists, key?: string) =>
  api[way](way === 'add' ? 'A2' : 'N', lists, key);
const claimant = (way: (typeof claimMutations)[number]) => (way === 'add' ? 'A2' : 'N');

describe.each(Object.keys(apis) as (keyof typeof apis)[])('a plain alias over %s', (name) => {
  it.each(claimMutations)('begins when another account has removed it: %s', async (way) => {
    const tenant = await newTenant(name);
    const { client, api } = tenant;
    await api.add('A1', { aliases: ['x'] });
    await api.remove('A1', 'x');
    const end = await endOf(tenant, 'A1', 'x');
    expect(await claim(api, way, { aliases: ['new', 'x'] })).toMatchObject({ code: 'ACCEPTED' });
    const id = claimant(way);
    expect(await spansOf(tenant, id)).toEqual([
      ['new', null, null],
      ['x', end, null],
    ]);
    expect(await accountIdByAlias(client.graphql, 'x', justBefore(end))).toBe('A1');
    expect(await accountIdByAlias(client.graphql, 'x', end)).toBe(id);
    expect(await accountIdByAlias(client.graphql, 'x')).toBe(id);
    const last = (await changesOfAccount(service, client.graphql, id)).at(-1);
    expect(last.after.aliases).toContainEqual({ value: 'x', effectiveFrom: end, effectiveUntil: null });
  });

  it.each(claimMutations)('begins when its previous account was archived: %s', async (way) => {
    const tenant = await newTenant(name);
    await tenant.api.add('A1', { aliases: ['x'] });
    await tenant.api.archive('A1');
    expect(await claim(tenant.api, way, { aliases: ['x'] })).toMatchObject({ code: 'ACCEPTED' });
    const end = await endOf(tenant, 'A1', 'x');
    expect(await spansOf(tenant, claimant(way))).toEqual([['x', end, null]]);
  });

  it('begins when the same account has removed it, also repeatedly', async () => {
    const tenant = await newTenant(name);
    for (const _ of listOf(3, String)) {
      expect(await tenant.api.add('A1', { aliases: ['x'] })).toMatchObject({ code: 'ACCEPTED' });
      await tenant.api.remove('A1', 'x');
    }
    const [first, second, third] = await spansOf(tenant, 'A1');
    expect([first[1], second[1], third[1]]).toEqual([null, first[2], second[2]]);
  });

  it.each(claimMutations)('begins after the last past span if it has an end: %s', async (way) => {
    const tenant = await newTenant(name);
    const { api } = tenant;
    await api.add('A1', { dated: [span('x', undefined, y2001), span('y', y2001, y2010)] });
    const dated = [span('x', undefined, y2010), span('y', undefined, y2900)];
    expect(await claim(api, way, { dated })).toMatchObject({ code: 'ACCEPTED' });
    expect(await spansOf(tenant, claimant(way))).toEqual([
      ['x', y2001, y2010],
      ['y', y2010, y2900],
    ]);
  });

  it.each(claimMutations)('is rejected if the last past span ends with it or later: %s', async (way) => {
    const { api } = await newTenant(name);
    await api.add('A1', { dated: [span('x', y2001, y2010)] });
    for (const until of [y2010, justBefore(y2010)]) {
      const { code, message } = await claim(api, way, { dated: [span('x', undefined, until)] });
      expect(code).toBe('ALIAS_TAKEN');
      expect(message).not.toContain('effective');
    }
  });

  it.each(claimMutations)('is rejected without a hint if it is in force on any account: %s', async (way) => {
    const { api } = await newTenant(name);
    await api.add('A1', { aliases: ['x'], dated: [span('y', y2001, y2900), span('z', undefined, y2010)] });
    await api.add('A2', { aliases: ['own'] });
    for (const value of ['x', 'y', 'own', 'A1']) {
      const { code, message } = await claim(api, way, { aliases: ['z', value] });
      expect(code).toBe('ALIAS_TAKEN');
      expect(message).toContain(JSON.stringify(value));
      expect(message).not.toMatch(/effective|"z"/);
    }
  });

  it.each(claimMutations)(
    'is rejected with the latest possible effectiveUntil if it is in force later: %s',
    async (way) => {
      const tenant = await newTenant(name);
      const { api } = tenant;
      await api.add('A1', { dated: [span('x', undefined, y2001), span('x', y2900, y2950)] });
      const { code, message } = await claim(api, way, { aliases: ['x'] });
      expect(code).toBe('ALIAS_TAKEN');
      expect(message).toContain(`Give "x" an effectiveUntil of ${y2900} or earlier.`);
      expect(message).not.toContain('effectiveFrom');
      const helped = { dated: [span('x', undefined, y2900)] };
      expect(await claim(api, way, helped)).toMatchObject({ code: 'ACCEPTED' });
      expect(await spansOf(tenant, claimant(way))).toEqual([['x', y2001, y2900]]);
    },
  );

  it.each(claimMutations)(
    'is rejected with the earliest possible effectiveFrom if it has a beginning: %s',
    async (way) => {
      const { api } = await newTenant(name);
      await api.add('A1', { dated: [span('x', undefined, y2010), span('y', y2900, y2950)] });
      const { code, message } = await claim(api, way, { dated: [span('x', y2001), span('y', y2900)] });
      expect(code).toBe('ALIAS_TAKEN');
      expect(message).toContain(`Give "x" an effectiveFrom of ${y2010} or later.`);
      expect(message).toContain(`Give "y" an effectiveFrom of ${y2950} or later.`);
      const helped = { dated: [span('x', y2010), span('y', y2950)] };
      expect(await claim(api, way, helped)).toMatchObject({ code: 'ACCEPTED' });
    },
  );

  it('is rejected without a hint if the account has no room for it', async () => {
    const { api } = await newTenant(name);
    await api.add('A1', { dated: [span('x', undefined, y2010)] });
    for (let call = 0; call < 10; call += 1)
      await api.add('A2', { aliases: Array.from({ length: 10 }, (_, n) => `full-${call}-${n}`) });
    const { code, message } = await api.add('A2', { dated: [span('x', y2001)] });
    expect(code).toBe('ALIAS_TAKEN');
    expect(message).not.toContain('effectiveFrom');
  });

  it('is rejected without a hint if no span would help another alias of the request', async () => {
    const { api } = await newTenant(name);
    await api.add('A1', { aliases: ['now'], dated: [span('past', undefined, y2010)] });
    const { code, message } = await api.add('A2', { aliases: ['now'], dated: [span('past', y2001)] });
    expect(code).toBe('ALIAS_TAKEN');
    expect(message).not.toContain('effective');
  });

  it('is accepted twice only for spans that do not overlap', async () => {
    const tenant = await newTenant(name);
    const { api } = tenant;
    await api.add('A1', { dated: [span('x', undefined, y2001)] });
    const twice = { dated: [span('x', undefined, y2010), span('x', y2900)] };
    expect(await api.add('A2', twice)).toMatchObject({ code: 'ACCEPTED' });
    expect(await spansOf(tenant, 'A2')).toEqual([
      ['x', y2001, y2010],
      ['x', y2900, null],
    ]);
    const overlapping = { aliases: ['y'], dated: [span('y', undefined, y2010)] };
    expect(await api.add('A2', overlapping)).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it.each(claimMutations)('is replayed with the stored beginning: %s', async (way) => {
    const tenant = await newTenant(name);
    const { api } = tenant;
    await api.add('A1', { aliases: ['x'] });
    await api.remove('A1', 'x');
    expect(await claim(api, way, { aliases: ['x'] }, 'k')).toMatchObject({ code: 'ACCEPTED' });
    const spans = await spansOf(tenant, claimant(way));
    expect(await claim(api, way, { aliases: ['x'] }, 'k')).toMatchObject({ code: 'REPLAYED' });
    expect(await spansOf(tenant, claimant(way))).toEqual(spans);
    const { idempotency_records: records } = await stored(service, tenant.client.graphql);
    const effectiveFrom = await endOf(tenant, 'A1', 'x');
    expect(records).toMatchObject([{ key: 'k' }]);
    expect(JSON.stringify(records[0].answer)).toContain(`"effectiveFrom":"${effectiveFrom}"`);
  });

  it('becomes the id of a new account from the end of the alias', async () => {
    const tenant = await newTenant(name);
    const { client, api } = tenant;
    await api.add('A1', { aliases: ['N'] });
    await api.remove('A1', 'N');
    const end = await endOf(tenant, 'A1', 'N');
    expect(await api.create('N', { aliases: ['N', 'x'] })).toMatchObject({ code: 'ACCEPTED' });
    expect(await accountIdByAlias(client.graphql, 'N', justBefore(end))).toBe('A1');
    expect(await accountIdByAlias(client.graphql, 'N', end)).toBe('N');
    expect(await spansOf(tenant, 'N')).toEqual([['x', null, null]]);
    expect(await api.create('N', {})).toMatchObject({ code: 'ID_TAKEN' });
    expect(await api.createWithCustomer('A2', {})).toMatchObject({ code: 'ID_TAKEN' });
    const over = { alias: 'N', toAccountId: 'N', effectiveFrom: y2001 };
    expect(await tryMutation(client.graphql, 'transferAlias', over)).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await api.createWithCustomer('M', {})).toMatchObject({ code: 'ACCEPTED' });
  });
});

describe('the response to a claim of a past alias', () => {
  it('contains the stored beginning, also in a replay', async () => {
    const { client } = await newTenant('GraphQL');
    await mutate(client.graphql, 'addAliases', { accountId: 'A1', aliases: ['x', 'y'] });
    await mutate(client.graphql, 'archiveAccount', { id: 'A1' });
    const { effectiveUntil: end } = (await stored(service, client.graphql)).aliases
      .map(({ effective_until }) => ({ effectiveUntil: new Date(effective_until) }))
      .find(({ effectiveUntil }) => Number.isFinite(effectiveUntil.getTime())) ?? {
      effectiveUntil: undefined,
    };
    const added = { accountId: 'A2', aliases: ['x'], idempotencyKey: 'a' };
    const created = accountInput({ id: 'N', aliases: ['y'], idempotencyKey: 'c' });
    for (const replayed of [false, true]) {
      for (const [name, input] of [['addAliases', added] as const, ['createAccount', created] as const]) {
        const result = await tryMutation(client.graphql, name, input);
        expect(result).toMatchObject({ replayed });
        expect(result.account.aliases).toMatchObject([{ effectiveFrom: end?.toISOString() }]);
      }
    }
  });

  it('contains a value that the same document removed and added', async () => {
    const tenant = await newTenant('GraphQL');
    const { client, api } = tenant;
    await api.add('A1', { aliases: ['x'] });
    const { data } = await client.graphql.send(`mutation {
      removeAliases(input: { accountId: "A1", aliases: ["x"] }) { __typename }
      addAliases(input: { accountId: "A2", aliases: ["x"] }) {
        __typename ... on AddAliasesSuccess { account { aliases { value } } } } }`);
    expect(data.addAliases).toEqual({
      __typename: 'AddAliasesSuccess',
      account: { aliases: [{ value: 'x' }] },
    });
    expect(await spansOf(tenant, 'A2')).toEqual([['x', await endOf(tenant, 'A1', 'x'), null]]);
  });
});

describe('createAccounts with past aliases', () => {
  it('begins each alias after the past spans of the tenant and of the preceding inputs', async () => {
    const tenant = await newTenant('GraphQL');
    const { client, api } = tenant;
    await api.add('A1', { aliases: ['old'], dated: [span('now'), span('N5', undefined, y2010)] });
    await api.remove('A1', 'old');
    const results = await tryCreateAccounts(client.graphql, [
      accountInput({ id: 'N1', aliases: ['old'] }),
      accountInput({ id: 'N2', aliases: ['now'] }),
      accountInput({ id: 'N3', datedAliases: [span('x', undefined, y2001)] }),
      accountInput({ id: 'N4', aliases: ['x', 'old'] }),
      accountInput({ id: 'N5' }),
      accountInput({ id: 'N6', aliases: ['x'] }),
    ]);
    const codes = results.map(({ code }) => code ?? 'CREATED');
    expect(codes).toEqual(['CREATED', 'ALIAS_TAKEN', 'CREATED', 'ALIAS_TAKEN', 'CREATED', 'CREATED']);
    expect(await spansOf(tenant, 'N1')).toEqual([['old', await endOf(tenant, 'A1', 'old'), null]]);
    expect(await spansOf(tenant, 'N6')).toEqual([['x', y2001, null]]);
    expect(await accountIdByAlias(client.graphql, 'N5', y2001)).toBe('A1');
    expect(await accountIdByAlias(client.graphql, 'N5', y2010)).toBe('N5');
  });
});

describe('restoreAccount and transferAlias with past aliases', () => {
  it('restores and moves values that other accounts had in between', async () => {
    const tenant = await newTenant('GraphQL');
    const { client, api } = tenant;
    await api.add('A1', { aliases: ['x'] });
    await api.archive('A1');
    await api.add('A2', { aliases: ['x'] });
    const restore = () => tryMutation(client.graphql, 'restoreAccount', { id: 'A1' });
    const { code, message } = await restore();
    expect(code).toBe('ALIAS_TAKEN');
    expect(message).not.toContain('effective');
    await api.remove('A2', 'x');
    expect(await restore()).toMatchObject({ replayed: false });
    expect(await aliasValues(client.graphql, 'A1')).toEqual(['x']);
    await mutate(client.graphql, 'transferAlias', { alias: 'x', toAccountId: 'A2' });
    await api.remove('A2', 'x');
    expect(await api.add('A1', { aliases: ['x'] })).toMatchObject({ code: 'ACCEPTED' });
    expect(await accountIdByAlias(client.graphql, 'x')).toBe('A1');
  });

  it('returns no hint for aliases that another account has later', async () => {
    const { client, api } = await newTenant('GraphQL');
    await api.add('A1', { aliases: ['x'] });
    await api.archive('A1');
    await api.add('A2', { dated: [span('x', y2900)] });
    const { code, message } = await tryMutation(client.graphql, 'restoreAccount', { id: 'A1' });
    expect(code).toBe('ALIAS_TAKEN');
    expect(message).not.toContain('effective');
  });
});

describe('the exclusion constraint', () => {
  it('decides without a lookup if no value was used before', async () => {
    const { client, api } = await newTenant('GraphQL');
    const looked = await lookUps(async () => {
      await api.add('A1', { aliases: ['x'] });
      await api.create('N', { aliases: ['y'] });
      await api.createWithCustomer('M', { aliases: ['z'] });
    });
    expect(looked).toBe(0);
    expect(await accountIdByAlias(client.graphql, 'z', y2001)).toBe('M');
  });

  it.each(claimMutations)(
    'rejects a value that another account claimed after the lookup: %s',
    async (way) => {
      const { client, api } = await newTenant('GraphQL');
      await tryCreateAccounts(client.graphql, [accountInput({ id: 'B' })]);
      await api.add('A1', { aliases: ['x'] });
      await api.remove('A1', 'x');
      const taken = async () =>
        expect(await api.add('B', { aliases: ['x'] })).toMatchObject({ code: 'ACCEPTED' });
      let outcome: unknown;
      await lookUps(async () => {
        outcome = await claim(api, way, { aliases: ['x'] });
      }, taken);
      expect(outcome).toMatchObject({ code: 'ALIAS_TAKEN' });
      expect(await accountIdByAlias(client.graphql, 'x')).toBe('B');
    },
  );

  it.each(['addAliases', 'createAccount', 'id'])(
    'accepts one of many concurrent claims of a freed value: %s',
    async (way) => {
      const { client, api } = await newTenant('GraphQL');
      await tryCreateAccounts(
        client.graphql,
        listOf(10, (index) => accountInput({ id: `B-${index}` })),
      );
      await api.add('A1', { aliases: ['prize'] });
      await api.remove('A1', 'prize');
      const results = await atOnce(10, (runner) => {
        if (way === 'addAliases' || (way === 'id' && runner % 2 === 0))
          return tryMutation(client.graphql, 'addAliases', { accountId: `B-${runner}`, aliases: ['prize'] });
        const input = way === 'id' ? { id: 'prize' } : { id: `N-${runner}`, aliases: ['prize'] };
        return tryMutation(client.graphql, 'createAccount', accountInput(input));
      });
      expect(accepted(results)).toHaveLength(1);
      for (const { code } of refused(results)) expect(code).toMatch(/^(ALIAS|ID)_TAKEN$/);
      const holder = await accountIdByAlias(client.graphql, 'prize');
      expect(accepted(results).map(({ account }) => account.id)).toEqual([holder]);
    },
  );

  it('returns each request its own result if requests claim freed and used values', async () => {
    const tenant = await newTenant('GraphQL');
    const { client, api } = tenant;
    const values = listOf(5, (index) => `freed-${index}`);
    await api.add('A1', { aliases: values });
    await api.archive('A1');
    await api.add('A2', { aliases: ['taken'] });
    const results = await atOnce(20, (index) => {
      const aliases = [index % 4 === 0 ? `freed-${index / 4}` : index % 4 === 1 ? 'taken' : `new-${index}`];
      return tryMutation(client.graphql, 'createAccount', accountInput({ id: `N-${index}`, aliases }));
    });
    for (const [index, { code }] of results.entries()) {
      expect([index, code]).toEqual([index, index % 4 === 1 ? 'ALIAS_TAKEN' : undefined]);
    }
    const end = await endOf(tenant, 'A1', 'freed-0');
    expect(await spansOf(tenant, 'N-0')).toEqual([['freed-0', end, null]]);
    expect(await spansOf(tenant, 'N-2')).toEqual([['new-2', null, null]]);
  });
});
