import { beforeEach, describe, expect, it } from 'vitest';
import { createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { mutate, tryMutation } from '../support/mutations.ts';
import { useRest } from '../support/rest.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);
const full = {
  name: 'Same',
  primaryEmail: 'a@acme.com',
  netTermDays: 5,
  tags: ['x', 'y'],
  metadata: { a: '1', b: '2' },
  address: { line1: 'Street', country: 'US' },
  billingInformation: { emailRecipients: ['a@acme.com'] },
};
let client: Client;

beforeEach(async () => {
  client = await tenantWithCustomer(service);
  await createAccount(client, { id: 'A1', ...full });
});

const read = async (): Promise<Json> =>
  (
    await client.send(
      '{ account(id: "A1") { version updatedAt settings { id value } history { totalCount } } customer(id: "C1") { version updatedAt history { totalCount } } }',
    )
  ).data;

describe('updateAccount', () => {
  it.each([
    ['no fields', {}],
    ['equal fields', full],
    ['the metadata in another order', { metadata: { b: '2', a: '1' } }],
    ['null for an empty field', { invoiceCurrency: null }],
    ['its own status', { status: 'ACTIVE' }],
  ])('keeps version, updatedAt and history for %s', async (_, fields) => {
    const before = await read();
    const input = { id: 'A1', ...fields, idempotencyKey: 'k' };
    expect(await tryMutation(client, 'updateAccount', input)).toMatchObject({
      replayed: false,
      account: { version: 1 },
    });
    expect(await read()).toEqual(before);
    expect(await tryMutation(client, 'updateAccount', input)).toMatchObject({
      replayed: true,
      account: { version: 1 },
    });
  });

  it('still checks expectedVersion and the status', async () => {
    expect(
      await tryMutation(client, 'updateAccount', { id: 'A1', ...full, expectedVersion: 2 }),
    ).toMatchObject({
      code: 'VERSION_CONFLICT',
    });
    await mutate(client, 'archiveAccount', { id: 'A1' });
    expect(await tryMutation(client, 'updateAccount', { id: 'A1', ...full })).toMatchObject({
      code: 'NOT_ALLOWED_IN_STATUS',
    });
  });

  it('records an idempotency key that another input cannot use', async () => {
    await mutate(client, 'updateAccount', { id: 'A1', ...full, idempotencyKey: 'k' });
    expect(
      await tryMutation(client, 'updateAccount', { id: 'A1', name: 'Other', idempotencyKey: 'k' }),
    ).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('writes a change of one field among equal ones', async () => {
    const account = await mutate(client, 'updateAccount', { id: 'A1', ...full, netTermDays: 6 });
    expect(account.version).toBe(2);
    const { data } = await client.send('{ account(id: "A1") { history(first: 1) { nodes { after } } } }');
    expect(data.account.history.nodes).toEqual([{ after: { netTermDays: 6 } }]);
  });
});

describe('updateCustomer', () => {
  it('keeps version, updatedAt and history for equal fields', async () => {
    await createCustomer(client, { id: 'C2', name: 'Second' });
    const before = await read();
    await mutate(client, 'updateCustomer', { id: 'C2', name: 'Second' });
    const { customer } = (await client.send('{ customer(id: "C2") { version history { totalCount } } }'))
      .data;
    expect(customer).toEqual({ version: 1, history: { totalCount: 1 } });
    expect(await read()).toEqual(before);
  });
});

describe('putSettings', () => {
  const setting = { id: 's', namespace: 'n', name: 'S', dataType: 'STRING', value: 'v' };

  it('keeps version, updatedAt and history for equal settings', async () => {
    await mutate(client, 'putSettings', { accountId: 'A1', settings: [setting] });
    const before = await read();
    const input = { accountId: 'A1', settings: [setting], idempotencyKey: 'k' };
    expect(await tryMutation(client, 'putSettings', input)).toMatchObject({ replayed: false });
    expect(await tryMutation(client, 'putSettings', input)).toMatchObject({ replayed: true });
    expect(await read()).toEqual(before);
  });

  it('writes a setting that differs', async () => {
    await mutate(client, 'putSettings', { accountId: 'A1', settings: [setting] });
    await mutate(client, 'putSettings', { accountId: 'A1', settings: [{ ...setting, value: 'w' }] });
    expect((await read()).account).toMatchObject({ version: 3, settings: [{ value: 'w' }] });
  });
});

describe('PATCH over REST', () => {
  it('keeps version, updatedAt and history for equal fields and settings', async () => {
    const setting = { id: 's', namespace: 'n', name: 'S', dataType: 'STRING', value: 'v' };
    await mutate(client, 'putSettings', { accountId: 'A1', settings: [setting] });
    const before = await read();
    const api = rest.of(client);
    expect((await api.patch('/accounts/A1', full)).status).toBe(200);
    const settingPath = '/settings/setting.n.s.ACCOUNT.A1';
    expect((await api.patch(settingPath, { name: 'S', value: 'v' })).status).toBe(201);
    expect(await read()).toEqual(before);
    expect((await api.patch(settingPath, { value: 'w' })).body.value).toBe('w');
    expect((await read()).account.version).toBe(before.account.version + 1);
  });
});
