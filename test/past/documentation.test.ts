import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stride, tolerated } from '../../src/past/snapshots.ts';
import { createAccount, setting, tenantWithCustomer } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { useService } from '../support/service.ts';
import { root } from '../support/source.ts';

const service = useService();

async function sectionOf(title: string): Promise<string> {
  const page = await readFile(join(root, 'docs/api.md'), 'utf8');
  return new RegExp(`^## ${title}\\n(.*?)^## `, 'ms').exec(page)?.[1] ?? '';
}

it('has a page whose documents return the past and what has changed since', async () => {
  const section = await sectionOf('Read the past');
  const [then = '', changed = ''] = [...section.matchAll(/^```graphql\n(.*?)^```$/gms)].map(
    ([, text]) => text,
  );
  const client = await tenantWithCustomer(service);
  const { updatedAt } = await createAccount(client, { aliases: ['x'], settings: [setting('s')] });
  await mutate(client, 'updateAccount', { id: 'A1', name: 'New', address: { city: 'Ulm' } });
  await mutate(client, 'updateCustomer', { id: 'C1', name: 'New' });
  const past = await client.send(then, { id: 'A1', asOf: updatedAt });
  expect(past.data.account).toMatchObject({
    ...{ name: 'Main account', version: 1, updatedAt, address: null, customer: { name: 'Acme' } },
    ...{ aliases: [{ value: 'x' }], settings: [{ namespace: 'n', id: 's', value: 'v' }] },
  });
  const { data } = await client.send(changed, { id: 'A1', from: updatedAt });
  expect(data.account.diff).toMatchObject([
    { field: 'address.city', before: null, after: 'Ulm', version: 2 },
    { field: 'name', before: 'Main account', after: 'New', version: 2 },
  ]);
});

it('has the limits of the code on that page', async () => {
  const section = await sectionOf('Read the past');
  expect(section).toContain(`about every ${stride} versions`);
  expect(section).toContain(`more than ${tolerated} changes`);
});
