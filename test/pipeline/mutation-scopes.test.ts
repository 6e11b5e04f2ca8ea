import { beforeEach, describe, expect, it } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { readAccount } from '../support/reads.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
let client: Client;
let writer: Client;

beforeEach(async () => {
  client = await tenantWithCustomer(service);
  await createAccount(client, { id: 'A1' });
  writer = await service.newKey(client, ['accounts:write']);
});

const rename = (selection: string, variables = '', fragments = '') =>
  `mutation${variables} { updateAccount(input: { id: "A1", name: "Renamed" }) {
    ... on UpdateAccountSuccess { account { id ${selection} } } ... on Error { message } } } ${fragments}`;
const declared = '($with: Boolean! = true)';
const fragment = 'fragment F on Account { customer { name } }';

describe('a mutation by a key that may not read every selected field', () => {
  it.each([
    ['a field', rename('customer { name }'), 'customer'],
    ['a field under an alias', rename('c: customer { name }'), 'c'],
    ['a fragment', rename('...F', '', fragment), 'customer'],
    ['a field behind a directive', rename('customer @include(if: $with) { name }', declared), 'customer'],
    ['an inline fragment', rename('... on Account { customer { name } }'), 'customer'],
  ])('is rejected before it runs: %s', async (_, document, name) => {
    const { data, errors } = await writer.send(document);
    const path = ['updateAccount', 'account', name];
    expect(data).toBeNull();
    expect(errors[0]).toMatchObject({ path, extensions: { code: 'FORBIDDEN', scope: 'customers:read' } });
    expect(await readAccount(client, 'A1')).toMatchObject({ name: 'Main account', version: 1 });
  });

  it('runs if a variable excludes the field', async () => {
    const document = rename('customer @include(if: $with) { name }', declared);
    const { data } = await writer.send(document, { with: false });
    expect(data.updateAccount.account).toEqual({ id: 'A1' });
    expect(await readAccount(client, 'A1')).toMatchObject({ name: 'Renamed', version: 2 });
  });

  it('is rejected before its first field if a later one is forbidden', async () => {
    const document = `mutation {
      updateAccount(input: { id: "A1", name: "Renamed" }) { __typename }
      updateCustomer(input: { id: "C1", name: "Renamed" }) { __typename } }`;
    const { data, errors } = await writer.send(document);
    expect([data, errors[0].path, errors[0].extensions.scope]).toEqual([
      null,
      ['updateCustomer'],
      'customers:write',
    ]);
    expect(await readAccount(client, 'A1')).toMatchObject({ version: 1 });
  });

  it('is rejected before its first field if the input of a later one needs a scope', async () => {
    const some = await service.newKey(client, ['customers:write']);
    const document = `mutation {
      a: updateCustomer(input: { id: "C1", name: "Renamed" }) { __typename }
      b: putSettings(input: { accountId: "A1", settings: [] }) { __typename } }`;
    const { data, errors } = await some.send(document);
    expect([data, errors[0].path, errors[0].extensions.scope]).toEqual([null, ['b'], 'accounts:write']);
    const { data: read } = await client.send('{ customer(id: "C1") { version } }');
    expect(read.customer.version).toBe(1);
  });
});

describe('archiveCustomer with accounts that are not archived', () => {
  const archive = `mutation { archiveCustomer(input: { id: "C1" }) {
    ... on NotAllowedInStatusError { message liveAccountIds liveAccountCount } } }`;

  it('returns their ids to a key that may read accounts', async () => {
    const { data } = await client.send(archive);
    expect(data.archiveCustomer).toMatchObject({ liveAccountIds: ['A1'], liveAccountCount: 1 });
    expect(data.archiveCustomer.message).toContain('A1');
  });

  it('returns only their count to another key', async () => {
    const { data } = await (await service.newKey(client, ['customers:write'])).send(archive);
    expect(data.archiveCustomer).toMatchObject({ liveAccountIds: [], liveAccountCount: 1 });
    expect(data.archiveCustomer.message).not.toContain('A1');
  });

  it('returns only their count over REST', async () => {
    const { token } = await service.newKey(client, ['customers:write']);
    const response = await service.fetch(
      new Request('http://localhost/customers/C1', {
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}` },
      }),
    );
    const { message } = (await response.json()) as { message: string };
    expect(message).toContain('an account');
    expect(message).not.toContain('A1');
  });
});
