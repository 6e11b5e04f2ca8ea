import { describe, expect, it } from 'vitest';
import { changesOf, stored, writesNothing } from '../support/database.ts';
import { tenantWithEverything } from '../support/fixtures.ts';
import { mutationCases, tenantFor } from '../support/mutation-cases.ts';
import { accepted, atOnce, mutate, refused, tryMutation } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const versioned = mutationCases.filter(({ name }) => /^(update|archive|restore|revert)/.test(name));

const idOf = (input: object): string => (input as { id: string }).id;

async function versionOf(client: Client, input: object): Promise<number> {
  const { accounts, customers } = await stored(service, client);
  return [...accounts, ...customers].find(({ id }) => id === idOf(input)).version;
}

describe.concurrent.each(versioned)('$name with expectedVersion', (one) => {
  const { name, input, other } = one;
  it('writes nothing and returns the current version if it differs', async () => {
    const client = await tenantFor(service, one);
    const current = await versionOf(client, input);
    for (const expectedVersion of [current + 1, ...(current > 1 ? [current - 1] : []), 2_147_483_647]) {
      const send = () => tryMutation(client, name, { ...input, expectedVersion });
      expect(await writesNothing(service, [client], send)).toMatchObject({
        __typename: 'VersionConflictError',
        code: 'VERSION_CONFLICT',
        currentVersion: current,
        message: expect.stringContaining(String(current)),
      });
    }
  });

  it('increments the version if it is the current one or null', async () => {
    const client = await tenantFor(service, one);
    for (const [sent, expectedVersion] of [
      [input, await versionOf(client, input)],
      [other, null],
    ] as const) {
      const before = await versionOf(client, sent);
      const { version } = await mutate(client, name, { ...sent, expectedVersion });
      expect(version).toBe(before + 1);
      expect(await versionOf(client, sent)).toBe(version);
    }
  });

  it('accepts one of 20 concurrent requests with the same version', async () => {
    const client = await tenantFor(service, one);
    const expectedVersion = await versionOf(client, input);
    const before = await changesOf(service, client);
    const results = await atOnce(20, () => tryMutation(client, name, { ...input, expectedVersion }));
    expect(accepted(results)).toHaveLength(1);
    for (const result of refused(results)) {
      expect(result).toMatchObject({ code: 'VERSION_CONFLICT', currentVersion: expectedVersion + 1 });
    }
    expect(await versionOf(client, input)).toBe(expectedVersion + 1);
    expect(await changesOf(service, client)).toHaveLength(before.length + 1);
  });
});

describe.each([
  ['updateAccount', 'A1', 'account_id'],
  ['updateCustomer', 'C1', 'customer_id'],
] as const)('concurrent %s without expectedVersion', (name, id, column) => {
  it('writes all 20 requests in order, each on the result of the one before', async () => {
    const client = await tenantWithEverything(service);
    const start = await versionOf(client, { id });
    const names = await atOnce(20, async (runner) => {
      const { name: written } = await mutate(client, name, { id, name: `Name ${runner}` });
      return written;
    });
    expect(new Set(names).size).toBe(20);
    const kind = name === 'updateAccount' ? 'ACCOUNT_UPDATED' : 'CUSTOMER_UPDATED';
    const rows: Json[] = (await changesOf(service, client))
      .filter((change) => change[column] === id && change.kind === kind)
      .toSorted((a, b) => a.version - b.version);
    expect(rows.map((row) => row.version)).toEqual(Array.from({ length: 20 }, (_, i) => start + 1 + i));
    rows.slice(1).forEach((row, index) => {
      expect(row.before.name).toBe(rows[index].after.name);
    });
    const { accounts, customers } = await stored(service, client);
    const last = [...accounts, ...customers].find((row) => row.id === id);
    expect(last).toMatchObject({ version: start + 20, name: rows.at(-1).after.name });
  });
});

it('keeps every field that concurrent updates of one account change', async () => {
  const client = await tenantWithEverything(service);
  const inputs = [
    { name: 'New name' },
    { primaryEmail: 'new@acme.com' },
    { netTermDays: 9 },
    { invoiceCurrency: 'JPY' },
    { tags: ['t'] },
    { metadata: { k: 'v' } },
  ];
  await Promise.all(inputs.map((fields) => mutate(client, 'updateAccount', { id: 'A1', ...fields })));
  const after = await mutate(client, 'updateAccount', { id: 'A1' });
  expect(after).toMatchObject(Object.assign({}, ...inputs));
});
