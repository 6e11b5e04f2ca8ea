import { describe, expect, it } from 'vitest';
import { changesOf, changesOfAccount, statementsOf, stored, writesNothing } from '../support/database.ts';
import { listOf } from '../support/field-limits.ts';
import { accountInput, tenantWithCustomer, tenantWithEverything } from '../support/fixtures.ts';
import {
  accepted,
  atOnce,
  mutate,
  refused,
  sendMutation,
  tryCreateAccounts,
  tryEach,
  tryMutation,
} from '../support/mutations.ts';
import { readAccount } from '../support/reads.ts';
import { expectRequestError } from '../support/refusal.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const tryAll = (client: Client, inputs: object[]) => tryEach(client, 'updateAccounts', inputs);
const shown = (results: Json[]) =>
  results.map(({ code, account }) => code ?? `${account.id} v${account.version}`);

/** Creates a tenant with the accounts E0 to E99 of customer C1, each with an alias. */
async function tenantWith100(): Promise<Client> {
  const client = await tenantWithCustomer(service);
  await tryCreateAccounts(
    client,
    listOf(100, (index) => accountInput({ id: `E${index}`, aliases: [`e-${index}`] })),
  );
  return client;
}

/** Different inputs set different fields. */
const changeOf = (index: number) => ({
  id: `E${index}`,
  ...(index % 3 === 0 ? { tags: [`t${index}`] } : { name: `Name ${index}` }),
  ...(index % 2 === 0 && { netTermDays: index }),
});

describe('updateAccounts', () => {
  it('changes 100 accounts and returns them in the order of the inputs', async () => {
    const client = await tenantWith100();
    const inputs = listOf(100, changeOf).toReversed();
    const results = await tryAll(client, inputs);
    expect(results.map(({ account }) => account.id)).toEqual(inputs.map(({ id }) => id));
    for (const [place, { replayed, account }] of results.entries()) {
      expect(replayed).toBe(false);
      expect(account).toMatchObject({
        ...inputs[place],
        version: 2,
        aliases: [{ value: expect.any(String) }],
      });
    }
    expect(results[99].account).toEqual(await readAccount(client, 'E0'));
    expect(await changesOf(service, client)).toHaveLength(1 + 100 + 100);
  });

  it('runs as many statements for 100 accounts as for one', async () => {
    const client = await tenantWith100();
    const update = (inputs: object[], selection: string) =>
      client.send(
        `mutation($inputs: [UpdateAccountInput!]!) { updateAccounts(inputs: $inputs) {
          ... on UpdateAccountSuccess { account { ${selection} } } } }`,
        { inputs },
      );
    const whole = 'id name customer { name } aliases { value } settings { value }';
    const counts = [];
    for (const selection of ['id name', whole]) {
      await update([{ id: 'E0', name: 'Warm-up', netTermDays: 1 }], selection);
      const statements = await statementsOf(service, async () => {
        const keyOf = (index: number) => `${selection.length}-${index}`;
        const inputs = listOf(100, (index) => ({ ...changeOf(index), idempotencyKey: keyOf(index) }));
        await update(inputs, selection);
      });
      counts.push(statements.length);
    }
    expect(counts).toEqual([1, 2]);
  });

  it.each([0, 101])('rejects a request with %d inputs and writes nothing', async (count) => {
    const client = await tenantWithEverything(service);
    await writesNothing(service, [client], async () => {
      const inputs = listOf(count, (index) => ({ id: 'A1', name: `Name ${index}` }));
      const answer = await sendMutation(client, 'updateAccounts', inputs);
      expectRequestError({ ...answer, data: answer.data ?? undefined }, 200, 'BAD_REQUEST');
    });
  });

  it('rejects each bad input alone and writes the good ones', async () => {
    const client = await tenantWithEverything(service);
    await mutate(client, 'updateAccount', { id: 'A2', name: 'Used', idempotencyKey: 'used' });
    await mutate(client, 'updateAccount', { id: 'A2', name: 'Used', idempotencyKey: 'other' });
    await tryCreateAccounts(client, [accountInput({ id: 'A5' }), accountInput({ id: 'A6' })]);
    const cases: [object, string][] = [
      [{ id: 'A1', name: 'New' }, 'A1 v2'],
      [{ id: 'A5', name: '' }, 'INVALID_INPUT'],
      [{ id: 'nobody', name: 'New' }, 'NOT_FOUND'],
      [{ id: 'A3', name: 'New' }, 'NOT_ALLOWED_IN_STATUS'],
      [{ id: 'A5', status: 'DRAFT' }, 'NOT_ALLOWED_IN_STATUS'],
      [{ id: 'A5', name: 'New', expectedVersion: 7 }, 'VERSION_CONFLICT'],
      [{ id: 'A5', name: 'New', idempotencyKey: 'k' }, 'A5 v2'],
      [{ id: 'A5', name: 'New', idempotencyKey: 'k' }, 'IDEMPOTENCY_IN_PROGRESS'],
      [{ id: 'A6', name: 'New', idempotencyKey: 'k' }, 'IDEMPOTENCY_KEY_REUSED'],
      [{ id: 'A6', name: 'New', idempotencyKey: 'other' }, 'IDEMPOTENCY_KEY_REUSED'],
      [{ id: 'A2', name: 'Used', idempotencyKey: 'used' }, 'A2 v2'],
      [{ id: 'A6', idempotencyKey: 'a b' }, 'INVALID_INPUT'],
      // Changes nothing.
      [{ id: 'A6', name: 'Main account' }, 'A6 v1'],
    ];
    const before = await stored(service, client);
    const results = await tryAll(
      client,
      cases.map(([one]) => one),
    );
    expect(shown(results)).toEqual(cases.map(([, expected]) => expected));
    expect(results[2]).toMatchObject({ type: 'Account', id: 'nobody' });
    expect(results[5].currentVersion).toBe(1);
    expect(results[10].replayed).toBe(true);
    const after = await stored(service, client);
    const names = after.accounts.map(({ id, name }) => [id, name]);
    expect(Object.fromEntries(names)).toMatchObject({ A1: 'New', A5: 'New', A6: 'Main account' });
    expect(after.changes).toHaveLength(before.changes.length + 2);
    expect(after.idempotency_records).toHaveLength(before.idempotency_records.length + 1);
  });

  it('applies the changes of one account in the order of the inputs', async () => {
    const client = await tenantWithEverything(service);
    const results = await tryAll(client, [
      { id: 'A1', name: 'Second', expectedVersion: 1 },
      { id: 'A2', name: 'Other' },
      { id: 'A1', netTermDays: 9, expectedVersion: 1 },
      { id: 'A1', netTermDays: 8, expectedVersion: 2 },
      { id: 'A1', name: 'Second' },
      { id: 'A1', tags: ['t'], metadata: { a: 'b' } },
    ]);
    expect(shown(results)).toEqual(['A1 v2', 'A2 v2', 'VERSION_CONFLICT', 'A1 v3', 'A1 v3', 'A1 v4']);
    expect(results[2].currentVersion).toBe(2);
    expect(results.map(({ account }) => account?.netTermDays)).toEqual([30, 30, undefined, 8, 8, 8]);
    expect(await readAccount(client, 'A1')).toEqual(results[5].account);
    expect(results[5].account).toMatchObject({ name: 'Second', netTermDays: 8, tags: ['t'] });
    const history = await changesOfAccount(service, client, 'A1');
    expect(history.map(({ version, after }) => [version, Object.keys(after).toSorted()]).slice(1)).toEqual([
      [2, ['name']],
      [3, ['netTermDays']],
      [4, ['metadata', 'tags']],
    ]);
  });

  it('stores the idempotency keys of the accepted inputs only and replays their first results', async () => {
    const client = await tenantWithEverything(service);
    const inputs = [
      { id: 'A1', name: 'First', idempotencyKey: 'k-0' },
      { id: 'A3', name: 'First', idempotencyKey: 'k-1' },
      { id: 'A1', name: 'Second', idempotencyKey: 'k-2' },
      { id: 'A2', tags: ['t'], idempotencyKey: 'k-3' },
    ];
    const first = await tryAll(client, inputs);
    expect(shown(first)).toEqual(['A1 v2', 'NOT_ALLOWED_IN_STATUS', 'A1 v3', 'A2 v2']);
    const again = await writesNothing(service, [client], () => tryAll(client, inputs));
    expect(again).toEqual(first.map((one) => (one.replayed === false ? { ...one, replayed: true } : one)));
    const single = await tryMutation(client, 'updateAccount', inputs[0]);
    expect(single).toEqual({ ...first[0], replayed: true });
    await mutate(client, 'restoreAccount', { id: 'A3' });
    expect(shown(await tryAll(client, inputs.slice(1, 2)))).toEqual(['A3 v4']);
  });

  it('finds no accounts of another tenant', async () => {
    const [owner, stranger] = [await tenantWithEverything(service), await tenantWithCustomer(service)];
    await tryCreateAccounts(stranger, [accountInput({ id: 'A2' })]);
    const inputs = ['A1', 'A2'].map((id) => ({ id, name: 'Stolen', idempotencyKey: id }));
    const results = await writesNothing(service, [owner], () => tryAll(stranger, inputs));
    expect(shown(results)).toEqual(['NOT_FOUND', 'A2 v2']);
  });
});

describe('concurrent updateAccounts', () => {
  it('writes every change in order, without a deadlock, if requests change the same accounts', async () => {
    const client = await tenantWith100();
    const results = await atOnce(8, (runner) => {
      const inputs = listOf(20, (index) => ({
        id: `E${index}`,
        name: `Name ${runner}`,
        tags: [`${runner}`],
      }));
      return tryAll(client, runner % 2 ? inputs : inputs.toReversed());
    });
    expect(accepted(results.flat())).toHaveLength(160);
    for (const id of ['E0', 'E19']) {
      const history = await changesOfAccount(service, client, id);
      expect(history.map(({ version }) => version).toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
  });

  it('accepts one request for each account if all expect the same version', async () => {
    const client = await tenantWith100();
    const results = await atOnce(8, (runner) =>
      tryAll(
        client,
        listOf(20, (index) => ({ id: `E${index}`, name: `Name ${runner}`, expectedVersion: 1 })),
      ),
    );
    expect(accepted(results.flat())).toHaveLength(20);
    for (const { code } of refused(results.flat())) expect(code).toBe('VERSION_CONFLICT');
  });

  it('writes once if requests send the same idempotency keys', async () => {
    const client = await tenantWith100();
    const inputs = listOf(20, (index) => ({ ...changeOf(index), idempotencyKey: `k-${index}` }));
    const results = (await atOnce(8, () => tryAll(client, inputs))).flat();
    expect(results.filter(({ replayed }) => replayed === false)).toHaveLength(20);
    for (const { code } of refused(results)) expect(code).toBe('IDEMPOTENCY_IN_PROGRESS');
    const { accounts, idempotency_records } = await stored(service, client);
    expect(accounts.filter(({ version }) => version === 2)).toHaveLength(20);
    expect(idempotency_records).toHaveLength(20);
  });
});
