import { sql } from 'drizzle-orm';
import { beforeEach, describe, expect, it } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { useRest } from '../support/rest.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);
const oldId = 'a\u200bc';
const oldName = 'Line one\nline two\u202e';
let client: Client;

/** Gives an account values that an earlier version accepted. */
beforeEach(async () => {
  client = await tenantWithCustomer(service);
  await createAccount(client, { id: 'ac', aliases: ['x'] });
  const { tenantId } = client;
  const ofTenant = sql`tenant_id = ${tenantId}`;
  await service.database.orm.transaction(async (tx) => {
    await tx.execute(sql`set constraints all deferred`);
    await tx.execute(
      sql`insert into accounts select (jsonb_populate_record(accounts, jsonb_build_object('id', ${oldId}::text, 'node_id', gen_random_uuid(), 'name', ${oldName}::text))).* from accounts where ${ofTenant}`,
    );
    await tx.execute(
      sql`insert into aliases (tenant_id, value, account_id, effective_from, effective_until, created_at)
        values (${tenantId}, ${oldId}, ${oldId}, '-infinity', 'infinity', now()), (${tenantId}, ${'y\u00ad'}, ${oldId}, '-infinity', 'infinity', now())`,
    );
  });
});

describe('an account with values that are refused in new input', () => {
  it('is read by id and alias, and listed, on both APIs', async () => {
    const document = `query($id: ID!, $alias: String!) {
      account(id: $id) { id name aliases { value } }
      accountByAlias(alias: $alias) { id }
      accounts(first: 1, orderBy: { field: NAME, direction: ASC }) { nodes { id } pageInfo { endCursor } }
    }`;
    const { data } = await client.send(document, { id: oldId, alias: 'y\u00ad' });
    expect(data.account).toEqual({ id: oldId, name: oldName, aliases: [{ value: 'y\u00ad' }] });
    expect(data.accountByAlias).toEqual({ id: oldId });
    expect(data.accounts.nodes).toEqual([{ id: oldId }]);
    const after = data.accounts.pageInfo.endCursor;
    const next = await client.send(
      '($after: String!) { accounts(first: 1, after: $after, orderBy: { field: NAME, direction: ASC }) { nodes { id } } }'.replace(
        /^/,
        'query',
      ),
      { after },
    );
    expect(next.data.accounts.nodes).toEqual([{ id: 'ac' }]);
    const read = await rest.of(client).get(`/accounts/${encodeURIComponent(oldId)}`);
    expect(read.body).toMatchObject({ id: oldId, name: oldName });
  });

  it('can change its other fields, end its aliases and be archived', async () => {
    expect(await mutate(client, 'updateAccount', { id: oldId, netTermDays: 7 })).toMatchObject({
      name: oldName,
      netTermDays: 7,
    });
    await mutate(client, 'removeAliases', { accountId: oldId, aliases: ['y\u00ad'] });
    expect(await mutate(client, 'archiveAccount', { id: oldId })).toMatchObject({ status: 'ARCHIVED' });
  });
});

describe('a look-up of an NFD value', () => {
  it('finds the value stored in NFC, on both APIs', async () => {
    await createAccount(client, { id: 'caf\u00e9', aliases: ['jos\u00e9'] });
    const document =
      'query($id: ID!, $alias: String!) { account(id: $id) { id } accountByAlias(alias: $alias) { id } }';
    const { data } = await client.send(document, { id: 'cafe\u0301', alias: 'jose\u0301' });
    expect(data).toEqual({ account: { id: 'café' }, accountByAlias: { id: 'café' } });
    const api = rest.of(client);
    expect((await api.get(`/accounts/${encodeURIComponent('cafe\u0301')}`)).body.id).toBe('café');
    expect((await api.get(`/aliases/${encodeURIComponent('jose\u0301')}`)).body.value).toBe('josé');
    await mutate(client, 'updateAccount', { id: 'cafe\u0301', netTermDays: 3 });
  });
});
