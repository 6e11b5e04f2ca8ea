import { describe, expect, it } from 'vitest';
import { changesOf, statementsOf, stored, writesNothing } from '../support/database.ts';
import { listOf } from '../support/field-limits.ts';
import { accountInput, createCustomer, setting, tenantWithEverything } from '../support/fixtures.ts';
import {
  accepted,
  atOnce,
  mutate,
  refused,
  sendMutation,
  tryCreateAccounts,
  tryMutation,
} from '../support/mutations.ts';
import { expectRequestError } from '../support/refusal.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const input = (id: string, fields: object = {}) => accountInput({ id, ...fields });
const rich = (index: number) =>
  input(`B-${index}`, { aliases: [`b-${index}`], settings: [setting('s')], tags: ['t'] });
const codesOf = (results: Json[]) => results.map((result) => result.code ?? result.account.id);

async function emptyTenant(): Promise<Client> {
  const client = await service.newTenant();
  await createCustomer(client);
  return client;
}

describe('createAccounts', () => {
  it('creates 100 accounts and returns them in the order of the inputs', async () => {
    const client = await emptyTenant();
    const inputs = listOf(100, rich).toReversed();
    const results = await tryCreateAccounts(client, inputs);
    expect(results.map(({ account }) => account.id)).toEqual(inputs.map(({ id }) => id));
    for (const { replayed, account } of results) {
      expect(replayed).toBe(false);
      expect(account).toMatchObject({
        version: 1,
        aliases: [{ value: account.id.toLowerCase() }],
        settings: [setting('s')],
      });
    }
    const { accounts, aliases, settings, changes } = await stored(service, client);
    const counts = [accounts, aliases, settings, changes].map((rows) => rows.length);
    expect(counts).toEqual([100, 200, 100, 101]);
  });

  it('returns the same fields as createAccount', async () => {
    const [one, two] = [await emptyTenant(), await emptyTenant()];
    const [batch] = await tryCreateAccounts(one, [rich(1)]);
    const single = await tryMutation(two, 'createAccount', rich(1));
    const comparable = (result: Json) =>
      JSON.stringify(result, (key, value) => (/^(nodeId|createdAt|updatedAt)$/.test(key) ? '' : value));
    expect(comparable(batch)).toBe(comparable(single));
  });

  it('runs as many statements for 100 accounts as for one', async () => {
    const client = await emptyTenant();
    const bare = (inputs: object[]) =>
      client.send(
        'mutation($inputs: [CreateAccountInput!]!) { createAccounts(inputs: $inputs) { ... on CreateAccountSuccess { account { id } } } }',
        { inputs },
      );
    await bare([input('warm-up')]);
    const one = await statementsOf(service, () => bare([input('first')]));
    const hundred = await statementsOf(service, () =>
      bare(listOf(100, (index) => ({ ...rich(index), idempotencyKey: `k-${index}` }))),
    );
    expect([one.length, hundred.length]).toEqual([1, 1]);
  });

  it.each([0, 101])('rejects a request with %d inputs and writes nothing', async (count) => {
    const client = await emptyTenant();
    await writesNothing(service, [client], async () => {
      const answer = await sendMutation(client, 'createAccounts', listOf(count, rich));
      expectRequestError({ ...answer, data: answer.data ?? undefined }, 200, 'BAD_REQUEST');
    });
  });

  it('rejects each bad input alone and writes the good ones', async () => {
    const client = await tenantWithEverything(service);
    for (const used of ['used', 'other']) {
      await mutate(client, 'createAccount', input(used, { idempotencyKey: used }));
    }
    const cases: [object, string][] = [
      [input('B1', { aliases: ['b'] }), 'B1'],
      [input('B2', { name: '' }), 'INVALID_INPUT'],
      [input('B1'), 'ID_TAKEN'],
      [input('B3', { aliases: ['b'] }), 'ALIAS_TAKEN'],
      [input('b'), 'ID_TAKEN'],
      [input('B4', { aliases: ['B1'] }), 'ALIAS_TAKEN'],
      [input('B5', { aliases: ['x', 'c'] }), 'ALIAS_TAKEN'],
      [input('B6', { aliases: ['c'] }), 'B6'],
      [input('A1'), 'ID_TAKEN'],
      [input('x'), 'ID_TAKEN'],
      [input('B7', { customerId: 'nobody' }), 'NOT_FOUND'],
      [input('B8', { customerId: 'C3' }), 'NOT_ALLOWED_IN_STATUS'],
      [input('B9', { customerId: 'C2', idempotencyKey: 'k' }), 'B9'],
      [input('B9', { customerId: 'C2', idempotencyKey: 'k' }), 'IDEMPOTENCY_IN_PROGRESS'],
      [input('B10', { idempotencyKey: 'k' }), 'IDEMPOTENCY_KEY_REUSED'],
      [input('B11', { idempotencyKey: 'other' }), 'IDEMPOTENCY_KEY_REUSED'],
      [input('used', { idempotencyKey: 'used' }), 'used'],
      [input('B12', { datedAliases: [{ value: 'v', effectiveUntil: '2001-01-01T00:00:00Z' }] }), 'B12'],
      [input('B13', { datedAliases: [{ value: 'v', effectiveFrom: '2001-01-01T00:00:00Z' }] }), 'B13'],
      [input('B14', { status: 'ARCHIVED' }), 'INVALID_INPUT'],
      [input('B15', { idempotencyKey: 'a b' }), 'INVALID_INPUT'],
      [input('B16'), 'B16'],
      // An input that is rejected for its customer claims no alias, wherever it is in the list.
      [input('B17', { customerId: 'nobody', aliases: ['d'] }), 'NOT_FOUND'],
      [input('B18', { customerId: 'C3', aliases: ['d'] }), 'NOT_ALLOWED_IN_STATUS'],
      [input('B19', { aliases: ['d'] }), 'B19'],
    ];
    const before = await stored(service, client);
    const results = await tryCreateAccounts(
      client,
      cases.map(([one]) => one),
    );
    expect(codesOf(results)).toEqual(cases.map(([, expected]) => expected));
    expect(results[16].replayed).toBe(true);
    expect(results[3].clashes).toEqual([{ value: 'b', accountId: 'B1' }]);
    expect(results[5].clashes).toEqual([{ value: 'B1', accountId: 'B1' }]);
    expect(results[4]).toMatchObject({ id: 'b', accountId: 'B1' });
    const good = ['B1', 'B6', 'B9', 'B12', 'B13', 'B16', 'B19'];
    const after = await stored(service, client);
    const ids = (rows: Json[]) => rows.map(({ id }) => id).toSorted();
    expect(ids(after.accounts)).toEqual([...ids(before.accounts), ...good].toSorted());
    expect(after.changes).toHaveLength(before.changes.length + good.length);
    expect(after.aliases).toHaveLength(before.aliases.length + good.length + 5);
    expect(after.idempotency_records).toHaveLength(before.idempotency_records.length + 1);
  });

  it('stores the idempotency keys of the accepted inputs only and replays their first results', async () => {
    const client = await tenantWithEverything(service);
    const inputs = listOf(5, (index) =>
      input(`B-${index}`, { idempotencyKey: `k-${index}`, aliases: index === 2 ? ['x'] : [`b-${index}`] }),
    );
    const first = await tryCreateAccounts(client, inputs);
    expect(codesOf(first)).toEqual(['B-0', 'B-1', 'ALIAS_TAKEN', 'B-3', 'B-4']);
    const again = await writesNothing(service, [client], () => tryCreateAccounts(client, inputs));
    expect(again).toEqual(first.map((one) => (one.replayed === false ? { ...one, replayed: true } : one)));
    const single = await tryMutation(client, 'createAccount', inputs[1] ?? {});
    expect(single).toEqual({ ...first[1], replayed: true });
    await mutate(client, 'removeAliases', { accountId: 'A1', aliases: ['x'] });
    const fixed = { ...inputs[2], aliases: ['b-2'] };
    expect(await tryCreateAccounts(client, [fixed])).toMatchObject([{ replayed: false }]);
  });
});

describe('concurrent createAccounts', () => {
  it('creates each account once if requests send the same inputs', async () => {
    const client = await emptyTenant();
    const inputs = listOf(10, (index) => input(`B-${index}`, { aliases: [`b-${index}`] }));
    const results = await atOnce(10, (runner) =>
      tryCreateAccounts(client, runner % 2 ? inputs : inputs.toReversed()),
    );
    expect(accepted(results.flat())).toHaveLength(10);
    for (const { code } of refused(results.flat())) expect(code).toBe('ID_TAKEN');
    expect(await changesOf(service, client)).toHaveLength(11);
  });

  it('accepts one account for each alias if requests claim overlapping sets of aliases', async () => {
    const client = await emptyTenant();
    const results = await atOnce(12, (runner) =>
      tryCreateAccounts(
        client,
        listOf(6, (place) =>
          input(`B-${runner}-${place}`, { aliases: [`v${(runner * 5 + place * 7) % 24}`] }),
        ),
      ),
    );
    const winners = accepted(results.flat()).map(({ account }) => account.aliases[0].value);
    expect(new Set(winners).size).toBe(winners.length);
    expect(winners).toHaveLength(24);
    for (const { code } of refused(results.flat())) expect(code).toBe('ALIAS_TAKEN');
    const { accounts, aliases } = await stored(service, client);
    expect([accounts.length, aliases.length]).toEqual([24, 48]);
  });

  it('writes once if requests send the same idempotency keys', async () => {
    const client = await emptyTenant();
    const inputs = listOf(5, (index) => input(`B-${index}`, { idempotencyKey: `k-${index}` }));
    const results = (await atOnce(20, () => tryCreateAccounts(client, inputs))).flat();
    expect(results.filter(({ replayed }) => replayed === false)).toHaveLength(5);
    for (const { code } of refused(results)) expect(code).toBe('IDEMPOTENCY_IN_PROGRESS');
    const { accounts, idempotency_records } = await stored(service, client);
    expect([accounts.length, idempotency_records.length]).toEqual([5, 5]);
  });
});
