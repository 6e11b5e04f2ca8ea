import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { useService } from '../support/service.ts';

const service = useService();
const rows = async (text: string) => [
  ...(await service.database.orm.execute<{ name: string; begins: string | null }>(sql.raw(text))),
];

const ours = `relnamespace = 'public'::regnamespace`;

/** Keys that do not begin with the tenant, and why they are safe. */
const exceptions: Record<string, string> = {
  webhook_leases_pkey: 'A replica delivers the webhooks of all tenants.',
  feed_state_pkey: 'One row says how far the changes of all tenants are in the feed.',
  tenants_pkey: 'The id of the tenant, with which all other keys begin.',
  tenants_name_key: 'Names of tenants are unique.',
  api_keys_token_hash_key: 'A token determines the tenant.',
};

describe('the database schema', () => {
  it('has a non-null tenant in every table except those that belong to no tenant', async () => {
    const tables = await rows(`select c.relname as name, a.attname as begins from pg_class c
      left join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnotnull
      where c.relkind in ('r', 'p') and c.${ours}`);
    expect(tables.length).toBeGreaterThanOrEqual(8);
    expect(
      tables
        .filter(({ begins }) => begins === null)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(['feed_state', 'tenants', 'webhook_leases']);
  });

  it('begins every primary and unique key with the tenant', async () => {
    const keys = await rows(`select i.relname as name, a.attname as begins from pg_index x
      join pg_class i on i.oid = x.indexrelid
      left join pg_attribute a on a.attrelid = x.indrelid and a.attnum = x.indkey[0]
      where x.indisunique and i.${ours}`);
    const others = keys.filter(({ begins }) => begins !== 'tenant_id').map(({ name }) => name);
    expect(keys.length).toBeGreaterThan(others.length + 6);
    expect(others.toSorted()).toEqual(Object.keys(exceptions).toSorted());
  });

  it('begins every foreign key with the tenant on both sides', async () => {
    const keys =
      await rows(`select conname as name, own.attname || ' ' || other.relname || '.' || their.attname as begins
      from pg_constraint join pg_class other on other.oid = confrelid
      join pg_attribute own on own.attrelid = conrelid and own.attnum = conkey[1]
      join pg_attribute their on their.attrelid = confrelid and their.attnum = confkey[1]
      where contype = 'f' and connamespace = 'public'::regnamespace`);
    expect(keys.length).toBeGreaterThanOrEqual(5);
    const good = /^tenant_id (tenants\.id|\w+\.tenant_id)$/;
    expect(keys.filter(({ begins }) => !good.test(begins ?? ''))).toEqual([]);
  });

  it('seeds the hash of the exclusion constraint with the tenant', async () => {
    const found = await rows(`select conname as name, pg_get_constraintdef(oid) as begins from pg_constraint
      where contype = 'x' and connamespace = 'public'::regnamespace`);
    expect(found).toEqual([
      {
        name: 'aliases_no_overlap',
        begins: expect.stringMatching(/hashtextextended\(\(?"?value"?\)?(::text)?, \(?"?tenant_id"?/),
      },
    ]);
  });
});
