import { expect, it } from 'vitest';
import { parseTypeId } from '../../src/lib/id.ts';
import { statementsOf } from '../support/database.ts';
import { createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { atOnce, mutate } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const changeFields = `nodes { id kind at actor requestId version before after
  account { id name } customer { id name } }`;

async function historyOf(client: Client, owner: string): Promise<Json[]> {
  const { data, errors } = await client.send(`{ owner: ${owner} { history { ${changeFields} } } }`);
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.owner.history.nodes;
}

it('returns a created account with the field names of the API', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, {
    address: { line1: 'Main Street 1', country: 'US' },
    billingInformation: { emailRecipients: ['a@b.co'] },
    aliases: ['one'],
    datedAliases: [{ value: 'two', effectiveFrom: '2026-01-01T00:00:00.000Z' }],
    settings: [{ id: 's', namespace: 'n', name: 'S', dataType: 'STRING', value: 'v' }],
  });
  const [change, ...older] = await historyOf(client, 'account(id: "A1")');
  expect(older).toEqual([]);
  expect(parseTypeId(change.id)?.type).toBe('Change');
  expect(change).toMatchObject({
    kind: 'ACCOUNT_CREATED',
    actor: expect.stringMatching(/^key_/),
    requestId: expect.any(String),
    version: 1,
    before: null,
    account: { id: 'A1', name: 'Main account' },
    customer: { id: 'C1', name: 'Acme' },
  });
  expect(change.after).toMatchObject({
    name: 'Main account',
    address: { line1: 'Main Street 1', country: 'US' },
    billingInformation: { emailRecipients: ['a@b.co'], additionalEmailRecipients: [] },
    aliases: [
      { value: 'one', effectiveFrom: null, effectiveUntil: null },
      { value: 'two', effectiveFrom: '2026-01-01T00:00:00.000Z', effectiveUntil: null },
    ],
    settings: [{ id: 's', namespace: 'n', name: 'S', dataType: 'STRING', value: 'v' }],
  });
  expect(Object.keys(change.after).filter((key) => /^address.|Recipients$/.test(key))).toEqual([]);
});

it('keeps the history of a customer apart from that of its accounts', async () => {
  const client = await service.newTenant();
  await createCustomer(client, { account: { id: 'A1', name: 'First' } });
  const [ofCustomer] = [await historyOf(client, 'customer(id: "C1")')];
  expect(ofCustomer).toMatchObject([
    { kind: 'CUSTOMER_CREATED', before: null, account: null, customer: { id: 'C1' } },
  ]);
  expect(ofCustomer[0].after.address).toMatchObject({ country: 'US' });
  expect(await historyOf(client, 'account(id: "A1")')).toMatchObject([{ kind: 'ACCOUNT_CREATED' }]);
});

it('returns the newest change first, with each field before and after it', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client);
  const rename = 'mutation($name: String) { updateAccount(input: { id: "A1", name: $name }) { __typename } }';
  for (const name of ['Second', 'Third']) await client.send(rename, { name });
  const changes = await historyOf(client, 'account(id: "A1")');
  expect(changes.map(({ version, before, after }) => [version, before?.name, after.name])).toEqual([
    [3, 'Second', 'Third'],
    [2, 'Main account', 'Second'],
    [1, undefined, 'Main account'],
  ]);
});

it('orders changes by version if many requests write concurrently', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client);
  await atOnce(20, (runner) => mutate(client, 'updateAccount', { id: 'A1', name: `Name ${runner}` }));
  await atOnce(20, (runner) => mutate(client, 'updateCustomer', { id: 'C1', name: `Name ${runner}` }));
  const newestFirst = Array.from({ length: 21 }, (_, index) => 21 - index);
  for (const owner of ['account(id: "A1")', 'customer(id: "C1")']) {
    const { data } = await client.send(
      `{ owner: ${owner} { name history(first: 100) { ${changeFields} } } }`,
    );
    const { nodes } = data.owner.history;
    expect(nodes.map(({ version }: Json) => version)).toEqual(newestFirst);
    expect(nodes[0].after).toEqual({ name: data.owner.name });
  }
});

it('runs one statement per page and one more for the entities of the changes', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client);
  const cost = async (fields: string) =>
    (
      await statementsOf(service, () =>
        client.send(`{ account(id: "A1") { history { ${fields} } aliasTimeline { nodes { value } } } }`),
      )
    ).length;
  expect(await cost('nodes { id }')).toBe(3);
  expect(await cost('nodes { id account { id } customer { id } }')).toBe(4);
  expect(await cost('nodes { id } totalCount')).toBe(4);
});
