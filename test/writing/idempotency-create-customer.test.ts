import { expect, it } from 'vitest';
import { rowCounts } from '../support/database.ts';
import { accountInput, createCustomer, customerInput, tenantWithCustomer } from '../support/fixtures.ts';
import { tryMutation } from '../support/mutations.ts';
import { readAccount } from '../support/reads.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();
const withAccount = {
  idempotencyKey: 'k',
  account: { id: 'A1', name: 'First', aliases: ['x'] },
  settings: [{ id: 's', namespace: 'n', name: 'n', dataType: 'STRING', value: 'v' }],
};

it('replays createCustomer and writes nothing', async () => {
  const client = await service.newTenant();
  const first = await tryMutation(client, 'createCustomer', customerInput(withAccount));
  const rows = await rowCounts(service, client);
  expect(await tryMutation(client, 'createCustomer', customerInput(withAccount))).toEqual({
    ...first,
    replayed: true,
  });
  expect(await rowCounts(service, client)).toEqual(rows);
  expect(rows).toMatchObject({ customers: 1, accounts: 1, idempotency_records: 1 });
});

it.each([{ name: 'Other' }, { account: null }, { account: { ...withAccount.account, name: 'Other' } }])(
  'rejects the key of a createCustomer with another input: %j',
  async (change) => {
    const client = await service.newTenant();
    await createCustomer(client, withAccount);
    const rows = await rowCounts(service, client);
    expect(
      await tryMutation(client, 'createCustomer', customerInput({ ...withAccount, ...change })),
    ).toMatchObject({
      __typename: 'IdempotencyError',
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    expect(await rowCounts(service, client)).toEqual(rows);
  },
);

it('rejects the key of a createCustomer in createAccount, and the reverse', async () => {
  const client = await tenantWithCustomer(service);
  await createCustomer(client, { id: 'C2', idempotencyKey: 'customer' });
  expect(
    await tryMutation(client, 'createAccount', accountInput({ idempotencyKey: 'customer' })),
  ).toMatchObject({
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
  await tryMutation(client, 'createAccount', accountInput({ idempotencyKey: 'account' }));
  expect(
    await tryMutation(client, 'createCustomer', customerInput({ id: 'C3', idempotencyKey: 'account' })),
  ).toMatchObject({
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
});

it('does not store the key if the customer or its account is rejected', async () => {
  const client = await service.newTenant();
  await createCustomer(client, { id: 'C0', account: { id: 'TAKEN', name: 'Taken' } });
  const refusals = [{ name: '' }, { id: 'C0' }, { account: { id: 'A1', name: 'First', aliases: ['TAKEN'] } }];
  for (const refused of refusals) {
    expect(
      await tryMutation(client, 'createCustomer', customerInput({ ...withAccount, ...refused })),
    ).not.toHaveProperty('customer');
  }
  expect(await tryMutation(client, 'createCustomer', customerInput(withAccount))).toMatchObject({
    replayed: false,
  });
});

it('writes one customer for concurrent requests with one key', async () => {
  const client = await service.newTenant();
  const send = () => tryMutation(client, 'createCustomer', customerInput(withAccount));
  const results: Json[] = await Promise.all(Array.from({ length: 20 }, send));
  const kinds = results.map((result) => result.code ?? (result.replayed ? 'REPLAYED' : 'WRITTEN'));
  expect(kinds.filter((kind) => kind === 'WRITTEN')).toHaveLength(1);
  for (const kind of kinds.filter((one) => one !== 'WRITTEN')) {
    expect(['REPLAYED', 'IDEMPOTENCY_IN_PROGRESS']).toContain(kind);
  }
  expect(await rowCounts(service, client)).toMatchObject({
    customers: 1,
    accounts: 1,
    idempotency_records: 1,
  });
  expect((await readAccount(client, 'A1')).name).toBe('First');
});
