import { describe, expect, it } from 'vitest';
import { stored, writesNothing } from '../support/database.ts';
import { listOf } from '../support/field-limits.ts';
import {
  accountInput,
  createAccount,
  createCustomer,
  setting,
  tenantWithEverything,
  useSharedTenant,
} from '../support/fixtures.ts';
import {
  accepted,
  atOnce,
  type MutationName,
  mutate,
  tryCreateAccounts,
  tryMutation,
} from '../support/mutations.ts';
import { readAccount, readCustomer } from '../support/reads.ts';
import { useService } from '../support/service.ts';

const service = useService();

describe.concurrent('archiveCustomer', () => {
  it.each([
    [1, ['A-00'], /it has an account that is not archived: .*"A-00"/],
    [12, listOf(10, (index) => `A-0${index}`), /it has 12 accounts that are not archived: /],
  ])(
    'rejects a customer with %d live accounts, naming the first 10 and the count',
    async (total, ids, message) => {
      const client = await tenantWithEverything(service);
      const idOf = (index: number) => `A-${String(index).padStart(2, '0')}`;
      const drafts = listOf(total, (index) =>
        accountInput({ id: idOf(index), customerId: 'C2', status: index % 2 ? 'DRAFT' : 'ACTIVE' }),
      );
      await tryCreateAccounts(client, [...drafts, accountInput({ id: 'A-', customerId: 'C2' })].toReversed());
      await mutate(client, 'archiveAccount', { id: 'A-' });
      const send = () => tryMutation(client, 'archiveCustomer', { id: 'C2' });
      expect(await writesNothing(service, [client], send)).toMatchObject({
        __typename: 'NotAllowedInStatusError',
        type: 'Customer',
        id: 'C2',
        status: 'ACTIVE',
        liveAccountIds: ids,
        liveAccountCount: total,
        message: expect.stringMatching(message),
      });
    },
  );

  it('archives a customer whose accounts are all archived and keeps it readable', async () => {
    const client = await tenantWithEverything(service);
    await createAccount(client, { id: 'A5', customerId: 'C2' });
    await mutate(client, 'archiveAccount', { id: 'A5' });
    const before = await readCustomer(client, 'C2');
    await mutate(client, 'archiveCustomer', { id: 'C2' });
    expect(await readCustomer(client, 'C2')).toEqual({
      ...before,
      status: 'ARCHIVED',
      version: 2,
      updatedAt: expect.any(String),
    });
    expect((await readAccount(client, 'A5')).customer).toMatchObject({ id: 'C2', status: 'ARCHIVED' });
  });

  it('is undone by restoreCustomer, which keeps the accounts archived', async () => {
    const client = await tenantWithEverything(service);
    await createAccount(client, { id: 'A5', customerId: 'C2', aliases: ['w'] });
    await mutate(client, 'archiveAccount', { id: 'A5' });
    await mutate(client, 'archiveCustomer', { id: 'C2' });
    expect(await mutate(client, 'restoreCustomer', { id: 'C2' })).toMatchObject({
      status: 'ACTIVE',
      version: 3,
    });
    expect(await readAccount(client, 'A5')).toMatchObject({ status: 'ARCHIVED', version: 2, aliases: [] });
    const restored = await mutate(client, 'restoreAccount', { id: 'A5' });
    expect(restored).toMatchObject({ status: 'ACTIVE', aliases: [{ value: 'w' }] });
  });
});

describe.concurrent('an archived customer', () => {
  const tenant = useSharedTenant(() => tenantWithEverything(service));
  const writes: [MutationName, object][] = [
    ['updateCustomer', { id: 'C3', name: 'New name' }],
    ['updateCustomer', { id: 'C3' }],
    ['archiveCustomer', { id: 'C3' }],
    ['createAccount', accountInput({ id: 'A9', customerId: 'C3' })],
    ['createAccounts', accountInput({ id: 'A9', customerId: 'C3' })],
    ['putSettings', { customerId: 'C3', settings: [setting('s')] }],
    ['removeSettings', { customerId: 'C3', settings: [{ namespace: 'n', id: 's' }] }],
  ];
  it.each(writes)('rejects %s %j', async (name, input) => {
    const { client } = tenant;
    const answer = await writesNothing(service, [client], () => tryMutation(client, name, input));
    expect(answer).toMatchObject({
      code: 'NOT_ALLOWED_IN_STATUS',
      type: 'Customer',
      id: 'C3',
      status: 'ARCHIVED',
    });
  });

  it('accepts restoreCustomer, which an active customer rejects', async () => {
    const client = await tenantWithEverything(service);
    expect(await tryMutation(client, 'restoreCustomer', { id: 'C3' })).toMatchObject({ replayed: false });
    const again = () => tryMutation(client, 'restoreCustomer', { id: 'C3' });
    expect(await writesNothing(service, [client], again)).toMatchObject({
      code: 'NOT_ALLOWED_IN_STATUS',
      status: 'ACTIVE',
      liveAccountIds: null,
    });
  });
});

describe('concurrent archiveCustomer', () => {
  it('leaves no live account on an archived customer beside 10 new accounts', async () => {
    const client = await service.newTenant();
    const ids = listOf(5, (index) => `C-${index}`);
    await Promise.all(ids.map((id) => createCustomer(client, { id })));
    for (const id of ids) {
      const results = await atOnce(11, (runner) =>
        runner === 3
          ? tryMutation(client, 'archiveCustomer', { id })
          : tryMutation(client, 'createAccount', accountInput({ id: `${id}-${runner}`, customerId: id })),
      );
      const { customers, accounts } = await stored(service, client);
      const { status } = customers.find((row) => row.id === id);
      const own = accounts.filter((row) => row.customer_id === id);
      expect(own).toHaveLength(accepted(results).length - (status === 'ARCHIVED' ? 1 : 0));
      if (status === 'ARCHIVED') expect(own).toEqual([]);
      else expect(own).toHaveLength(10);
      for (const result of results) {
        expect(result.code ?? 'NOT_ALLOWED_IN_STATUS').toBe('NOT_ALLOWED_IN_STATUS');
      }
    }
  });

  it('leaves no live account on an archived customer beside restored accounts', async () => {
    const client = await tenantWithEverything(service);
    const ids = listOf(10, (index) => `B-${index}`);
    await tryCreateAccounts(
      client,
      ids.map((id) => accountInput({ id, customerId: 'C2' })),
    );
    await Promise.all(ids.map((id) => mutate(client, 'archiveAccount', { id })));
    await atOnce(11, (runner) =>
      runner === 5
        ? tryMutation(client, 'archiveCustomer', { id: 'C2' })
        : tryMutation(client, 'restoreAccount', { id: `B-${runner % 10}` }),
    );
    const { status } = await readCustomer(client, 'C2');
    const { accounts } = await stored(service, client);
    const live = accounts.filter((row) => row.customer_id === 'C2' && row.status !== 'ARCHIVED');
    expect(live.length > 0).toBe(status === 'ACTIVE');
  });
});
