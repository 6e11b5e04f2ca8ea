import { expect, it } from 'vitest';
import { createNewestTenants } from '../../src/auth/newest-tenants.ts';
import { tenantRow } from '../support/tenants.ts';

const [first, second, third] = [1, 2, 3].map((version) => tenantRow(1, { version }));
if (first === undefined || second === undefined || third === undefined) throw new Error('no versions');

it('returns the newest of the noted and the found version, in any order', () => {
  const tenants = createNewestTenants();
  expect(tenants.newest(first)).toBe(first);
  tenants.note(second);
  // A look-up that began before the change.
  expect(tenants.newest(first)).toBe(second);
  // Another replica has changed the tenant since.
  expect(tenants.newest(third)).toBe(third);
  tenants.note(third);
  tenants.note(second);
  expect(tenants.newest(first)).toBe(third);
});

it('keeps tenants apart', () => {
  const tenants = createNewestTenants();
  tenants.note(third);
  const other = tenantRow(2);
  expect(tenants.newest(other)).toBe(other);
});
