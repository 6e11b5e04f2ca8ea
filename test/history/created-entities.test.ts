import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { changesOf } from '../support/database.ts';
import { accountInput, createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { sendMutation, tryMutation } from '../support/mutations.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();

const setting = { id: 's', namespace: 'n', name: 'n', dataType: 'STRING', value: 'v' };

it('records a created account with its instant, actor, request and fields', async () => {
  const client = await tenantWithCustomer(service);
  const input = accountInput({
    aliases: ['x'],
    settings: [setting],
    tags: ['T'],
    address: { country: 'DE' },
  });
  const answer = await sendMutation(client, 'createAccount', input, { 'x-request-id': 'req-1' });
  const [, change, ...more] = await changesOf(service, client);
  expect(more).toEqual([]);
  expect(change).toMatchObject({
    kind: 'ACCOUNT_CREATED',
    customer_id: 'C1',
    account_id: 'A1',
    actor: expect.stringMatching(/^key_0[0-9a-z]{25}$/),
    request_id: 'req-1',
    version: 1,
    before: null,
  });
  expect(new Date(change.at).toISOString()).toBe(answer.data.createAccount.account.createdAt);
  expect(change.after).toMatchObject({
    name: 'Main account',
    status: 'ACTIVE',
    tags: ['t'],
    aliases: [{ value: 'x', effectiveFrom: null, effectiveUntil: null }],
    settings: [setting],
  });
});

it('records the generated request id that the response contains', async () => {
  const client = await tenantWithCustomer(service);
  const answer = await sendMutation(client, 'createAccount', accountInput());
  const [, change] = await changesOf(service, client);
  expect(change.request_id).toBe(answer.headers.get('x-request-id'));
});

it('records a customer and its first account separately', async () => {
  const client = await service.newTenant();
  await createCustomer(client, {
    account: { id: 'A1', name: 'First', aliases: ['x'] },
    settings: [setting],
  });
  const changes = await changesOf(service, client);
  expect(changes.map(({ kind, customer_id, account_id }) => ({ kind, customer_id, account_id }))).toEqual([
    { kind: 'CUSTOMER_CREATED', customer_id: 'C1', account_id: null },
    { kind: 'ACCOUNT_CREATED', customer_id: 'C1', account_id: 'A1' },
  ]);
  expect(changes[0].after).toMatchObject({ name: 'Acme', primaryEmail: 'a@acme.com', settings: [setting] });
  expect(changes[1].after).toMatchObject({ name: 'First', aliases: [{ value: 'x' }] });
  expect(changes.map((change) => change.before)).toEqual([null, null]);
});

it('records nothing for rejected and replayed mutations', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { idempotencyKey: 'k' });
  const before = await changesOf(service, client);
  await tryMutation(client, 'createAccount', accountInput({ idempotencyKey: 'k' }));
  await tryMutation(client, 'createAccount', accountInput({ idempotencyKey: 'k', name: 'Other' }));
  await tryMutation(client, 'createAccount', accountInput());
  await tryMutation(client, 'createAccount', accountInput({ id: 'A2', aliases: ['A1'] }));
  await tryMutation(client, 'createAccount', accountInput({ id: 'A3', name: '' }));
  expect(await changesOf(service, client)).toEqual(before);
});

describe('the table of changes', () => {
  it.each([
    ['an update', sql`update changes set actor = 'nobody'`],
    ['a delete', sql`delete from changes`],
    ['a truncate', sql`truncate changes`],
    ['a truncate of a table that it refers to', sql`truncate customers cascade`],
  ])('rejects %s', async (_, statement) => {
    const client = await tenantWithCustomer(service);
    const before = await changesOf(service, client);
    const refusal = await service.database.orm.execute(statement).then(
      () => undefined,
      (error: Json) => error.cause.message,
    );
    expect(refusal).toContain('append-only');
    expect(await changesOf(service, client)).toEqual(before);
  });
});
