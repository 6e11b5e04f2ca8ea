import { describe, expect, it } from 'vitest';
import { changesOf, rowCounts, statementsOf, stored, writesNothing } from '../support/database.ts';
import { listOf } from '../support/field-limits.ts';
import { createCustomer, customerInput, setting, tenantWithEverything } from '../support/fixtures.ts';
import {
  accepted,
  atOnce,
  mutate,
  refused,
  sendMutation,
  tryEach,
  tryMutation,
} from '../support/mutations.ts';
import { readAccount, readCustomer } from '../support/reads.ts';
import { expectRequestError } from '../support/refusal.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const input = (id: string, fields: object = {}) => customerInput({ id, ...fields });
const account = (id: string, fields: object = {}) => ({ id, name: 'First account', ...fields });
const rich = (index: number) =>
  input(`D-${index}`, {
    settings: [setting('s')],
    metadata: { crm: `${index}` },
    account: account(`B-${index}`, { aliases: [`b-${index}`], settings: [setting('t')], tags: ['t'] }),
  });
const tryAll = (client: Client, inputs: object[]) => tryEach(client, 'createCustomers', inputs);
const codesOf = (results: Json[]) => results.map((result) => result.code ?? result.customer.id);

describe('createCustomers', () => {
  it('creates 100 customers with their first accounts and returns them in the order of the inputs', async () => {
    const client = await service.newTenant();
    const inputs = listOf(100, rich).toReversed();
    const results = await tryAll(client, inputs);
    expect(results.map(({ customer }) => customer.id)).toEqual(inputs.map(({ id }) => id));
    for (const { replayed, customer } of results) {
      expect(replayed).toBe(false);
      expect(customer).toMatchObject({
        version: 1,
        settings: [setting('s')],
        metadata: { crm: customer.id.slice(2) },
      });
    }
    const { customers, accounts, aliases, settings, changes } = await stored(service, client);
    const counts = [customers, accounts, aliases, settings, changes].map((rows) => rows.length);
    expect(counts).toEqual([100, 100, 200, 200, 200]);
    expect(await readCustomer(client, 'D-7')).toEqual(results[92].customer);
    expect(await readAccount(client, 'B-7')).toMatchObject({
      customerId: 'D-7',
      tags: ['t'],
      aliases: [{ value: 'b-7' }],
      settings: [setting('t')],
    });
  });

  it('returns the same fields as createCustomer', async () => {
    const [one, two] = [await service.newTenant(), await service.newTenant()];
    const [batch] = await tryAll(one, [rich(1)]);
    const single = await tryMutation(two, 'createCustomer', rich(1));
    const comparable = (result: Json) =>
      JSON.stringify(result, (key, value) => (/^(nodeId|createdAt|updatedAt)$/.test(key) ? '' : value));
    expect(comparable(batch)).toBe(comparable(single));
  });

  it('runs one statement for 100 customers with first accounts, settings and idempotency keys', async () => {
    const client = await service.newTenant();
    const bare = (inputs: object[]) =>
      client.send(
        `mutation($inputs: [CreateCustomerInput!]!) { createCustomers(inputs: $inputs) {
          ... on CreateCustomerSuccess { customer { id name settings { value } } } } }`,
        { inputs },
      );
    await bare([input('warm-up')]);
    const statements = await statementsOf(service, async () => {
      const { data } = await bare(listOf(100, (index) => ({ ...rich(index), idempotencyKey: `k-${index}` })));
      expect(data.createCustomers[99].customer).toMatchObject({ id: 'D-99', settings: [{ value: 'v' }] });
    });
    expect(statements, statements.join('\n')).toHaveLength(1);
  });

  it.each([0, 101])('rejects a request with %d inputs and writes nothing', async (count) => {
    const client = await service.newTenant();
    await writesNothing(service, [client], async () => {
      const answer = await sendMutation(client, 'createCustomers', listOf(count, rich));
      expectRequestError({ ...answer, data: answer.data ?? undefined }, 200, 'BAD_REQUEST');
    });
  });

  it('rejects each bad input alone and writes the good ones', async () => {
    const client = await tenantWithEverything(service);
    for (const used of ['used', 'other']) {
      await mutate(client, 'createCustomer', input(used, { idempotencyKey: used }));
    }
    const cases: [object, string][] = [
      [input('D1', { account: account('B1', { aliases: ['b'] }) }), 'D1'],
      [input('D2', { name: '' }), 'INVALID_INPUT'],
      [input('D2', { account: account('B2', { address: { country: 'xx' } }) }), 'INVALID_INPUT'],
      [input('C1'), 'ID_TAKEN'],
      [input('C3'), 'ID_TAKEN'],
      [input('D1'), 'ID_TAKEN'],
      [input('D3', { account: account('A1') }), 'ID_TAKEN'],
      [input('D3', { account: account('B1') }), 'ID_TAKEN'],
      [input('D3', { account: account('b') }), 'ID_TAKEN'],
      [input('D3', { account: account('B3', { aliases: ['b'] }) }), 'ALIAS_TAKEN'],
      [input('D3', { account: account('B3', { aliases: ['x', 'c'] }) }), 'ALIAS_TAKEN'],
      // A customer that is rejected takes neither its id nor the names of its account.
      [input('D3', { account: account('B3', { aliases: ['c'] }) }), 'D3'],
      [input('C1', { account: account('B4', { aliases: ['d'] }) }), 'ID_TAKEN'],
      [input('D4', { account: account('B4', { aliases: ['d'] }) }), 'D4'],
      [input('D5', { idempotencyKey: 'k' }), 'D5'],
      [input('D5', { idempotencyKey: 'k' }), 'IDEMPOTENCY_IN_PROGRESS'],
      [input('D6', { idempotencyKey: 'k' }), 'IDEMPOTENCY_KEY_REUSED'],
      [input('D6', { idempotencyKey: 'other' }), 'IDEMPOTENCY_KEY_REUSED'],
      [input('used', { idempotencyKey: 'used' }), 'used'],
      [input('D7', { idempotencyKey: 'a b' }), 'INVALID_INPUT'],
      // Customers and accounts have separate ids.
      [input('A1'), 'A1'],
    ];
    const before = await stored(service, client);
    const results = await tryAll(
      client,
      cases.map(([one]) => one),
    );
    expect(codesOf(results)).toEqual(cases.map(([, expected]) => expected));
    expect(results[2].issues).toMatchObject([{ path: ['account', 'address', 'country'] }]);
    expect(results[4].message).toContain('restore the archived customer');
    expect(results[5]).toMatchObject({ id: 'D1', accountId: null });
    expect(results[8]).toMatchObject({ id: 'b', accountId: 'B1' });
    expect(results[9].clashes).toEqual([{ value: 'b', accountId: 'B1' }]);
    expect(results[10].clashes).toEqual([{ value: 'x', accountId: 'A1' }]);
    expect(results[18].replayed).toBe(true);
    const after = await stored(service, client);
    const added = (table: 'customers' | 'accounts') => {
      const known = new Set(before[table].map(({ id }) => id));
      return after[table].flatMap(({ id }) => (known.has(id) ? [] : id)).toSorted();
    };
    expect(added('customers')).toEqual(['A1', 'D1', 'D3', 'D4', 'D5']);
    expect(added('accounts')).toEqual(['B1', 'B3', 'B4']);
    expect(after.changes).toHaveLength(before.changes.length + 5 + 3);
    expect(after.aliases).toHaveLength(before.aliases.length + 2 * 3);
    expect(after.idempotency_records).toHaveLength(before.idempotency_records.length + 1);
  });

  it('stores the idempotency keys of the accepted inputs only and replays their first results', async () => {
    const client = await tenantWithEverything(service);
    const inputs = listOf(5, (index) => ({
      ...rich(index),
      ...(index === 2 && { account: account('B-2', { aliases: ['x'] }) }),
      idempotencyKey: `k-${index}`,
    }));
    const first = await tryAll(client, inputs);
    expect(codesOf(first)).toEqual(['D-0', 'D-1', 'ALIAS_TAKEN', 'D-3', 'D-4']);
    const again = await writesNothing(service, [client], () => tryAll(client, inputs));
    expect(again).toEqual(first.map((one) => (one.replayed === false ? { ...one, replayed: true } : one)));
    const single = await tryMutation(client, 'createCustomer', inputs[1] ?? {});
    expect(single).toEqual({ ...first[1], replayed: true });
    await mutate(client, 'removeAliases', { accountId: 'A1', aliases: ['x'] });
    const fixed = { ...inputs[2], account: account('B-2', { aliases: ['b-2'] }) };
    expect(await tryAll(client, [fixed])).toMatchObject([{ replayed: false }]);
  });

  it('starts the alias of a first account where another account lost it', async () => {
    const client = await tenantWithEverything(service);
    await mutate(client, 'removeAliases', { accountId: 'A1', aliases: ['x'] });
    const results = await tryAll(client, [
      input('D1', { account: account('B1', { aliases: ['x'] }), idempotencyKey: 'k' }),
      input('D2', { account: account('B2', { aliases: ['x'] }) }),
    ]);
    expect(codesOf(results)).toEqual(['D1', 'ALIAS_TAKEN']);
    const { aliases } = await readAccount(client, 'B1');
    expect(aliases).toMatchObject([{ value: 'x', effectiveFrom: expect.any(String) }]);
  });

  it('accepts the ids, aliases and idempotency keys of another tenant', async () => {
    const [owner, stranger] = [await service.newTenant(), await service.newTenant()];
    const inputs = listOf(3, (index) => ({ ...rich(index), idempotencyKey: `k-${index}` }));
    await tryAll(owner, inputs);
    const results = await writesNothing(service, [owner], () => tryAll(stranger, inputs));
    expect(accepted(results).map(({ replayed }) => replayed)).toEqual([false, false, false]);
  });

  it('records each customer and account with the request id', async () => {
    const client = await service.newTenant();
    await sendMutation(client, 'createCustomers', [rich(1), input('D-2'), input('D-2')], {
      'x-request-id': 'req-9',
    });
    const changes = await changesOf(service, client);
    expect(changes.map((row) => [row.kind, row.customer_id, row.account_id, row.request_id])).toEqual(
      expect.arrayContaining([
        ['CUSTOMER_CREATED', 'D-1', null, 'req-9'],
        ['ACCOUNT_CREATED', 'D-1', 'B-1', 'req-9'],
        ['CUSTOMER_CREATED', 'D-2', null, 'req-9'],
      ]),
    );
    expect(changes).toHaveLength(3);
  });
});

describe('concurrent createCustomers', () => {
  it('creates each customer once, without a deadlock, if requests send the same inputs', async () => {
    const client = await service.newTenant();
    const inputs = listOf(10, rich);
    const results = await atOnce(10, (runner) => tryAll(client, runner % 2 ? inputs : inputs.toReversed()));
    expect(accepted(results.flat())).toHaveLength(10);
    for (const { code } of refused(results.flat())) expect(code).toBe('ID_TAKEN');
    expect(await rowCounts(service, client)).toMatchObject({ customers: 10, accounts: 10, changes: 20 });
  });

  it('creates one first account for each alias if requests claim overlapping sets of aliases', async () => {
    const client = await service.newTenant();
    const results = await atOnce(12, (runner) =>
      tryAll(
        client,
        listOf(6, (place) => {
          const name = `${runner}-${place}`;
          const aliases = [`v${(runner * 5 + place * 7) % 24}`];
          return input(`D-${name}`, { account: account(`B-${name}`, { aliases }) });
        }),
      ),
    );
    expect(accepted(results.flat())).toHaveLength(24);
    for (const { code } of refused(results.flat())) expect(code).toBe('ALIAS_TAKEN');
    expect(await rowCounts(service, client)).toMatchObject({ customers: 24, accounts: 24, aliases: 48 });
  });

  it('writes once if requests send the same idempotency keys', async () => {
    const client = await service.newTenant();
    const inputs = listOf(5, (index) => ({ ...rich(index), idempotencyKey: `k-${index}` }));
    const results = (await atOnce(20, () => tryAll(client, inputs))).flat();
    expect(results.filter(({ replayed }) => replayed === false)).toHaveLength(5);
    for (const { code } of refused(results)) expect(code).toBe('IDEMPOTENCY_IN_PROGRESS');
    expect(await rowCounts(service, client)).toMatchObject({ customers: 5, idempotency_records: 5 });
  });
});

describe('concurrent createCustomer', () => {
  it('runs few statements and rejects each bad input alone', async () => {
    const client = await service.newTenant();
    await createCustomer(client, { id: 'taken' });
    const create = (index: number) =>
      tryMutation(client, 'createCustomer', index === 7 ? input('taken') : rich(index));
    await create(-1);
    const statements = await statementsOf(service, async () => {
      await service.gather(30);
      const results = await atOnce(30, (index) => create(index < 7 ? index : index + 1));
      expect(accepted(results)).toHaveLength(30);
    });
    expect(statements.length).toBeLessThan(15);
    const results = await atOnce(20, (index) => create(index === 3 ? 7 : 100 + index));
    expect(codesOf(refused(results))).toEqual(['ID_TAKEN']);
    expect(await rowCounts(service, client)).toMatchObject({ customers: 1 + 1 + 30 + 19 });
  });
});
