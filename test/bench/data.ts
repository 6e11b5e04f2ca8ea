import postgres from 'postgres';

export const tenant = 1;
export const accountsPerCustomer = 10;

/** The ids of the data, so that a request can name any. */
export const accountId = (index: number): string => `A-${String(index).padStart(7, '0')}`;
export const customerId = (index: number): string => `C-${String(index).padStart(6, '0')}`;
export const aliasOf = (index: number): string => `device-${String(index).padStart(7, '0')}-0`;

const names = `(array['Northwind','Globex','Initech','Umbrella','Hooli','Vandelay','Wonka','Stark','Wayne','Acme'])`;

function customers(count: number): string {
  return `insert into customers (tenant_id, id, node_id, name, status, primary_email, address_line1, address_city,
      address_postal_code, address_country, metadata, version, created_at, updated_at)
    select ${tenant}, 'C-' || lpad(n::text, 6, '0'), uuidv7(), ${names}[n % 10 + 1] || ' Holding ' || n, 'ACTIVE',
      'billing@customer' || n || '.example', n || ' Main Street', 'Florence', lpad((n % 100000)::text, 5, '0'), 'US',
      '{"source":"import"}', 1, at, at
    from (select n, timestamptz '2026-01-01' + n * interval '1 second' as at from generate_series(0, ${count - 1}) n) c`;
}

function accounts(count: number): string {
  return `insert into accounts (tenant_id, id, node_id, customer_id, name, status, invoice_currency, net_term_days,
      primary_email, address_line1, address_city, address_postal_code, address_country, tags, metadata, version,
      created_at, updated_at)
    select ${tenant}, 'A-' || lpad(n::text, 7, '0'), uuidv7(), 'C-' || lpad((n / ${accountsPerCustomer})::text, 6, '0'),
      ${names}[n % 10 + 1] || ' Account ' || n, 'ACTIVE', 'EUR', 45, 'pay@account' || n || '.example',
      n || ' Broadway', 'Florence', lpad((n % 100000)::text, 5, '0'), 'US', array['prepaid','tier' || n % 5],
      '{"source":"import"}', 1, at, at
    from (select n, timestamptz '2026-02-01' + n * interval '1 second' as at from generate_series(0, ${count - 1}) n) a`;
}

const ownNames = `insert into aliases select tenant_id, id, id, '-infinity', 'infinity', created_at from accounts`;

const aliases = `insert into aliases
  select tenant_id, 'device-' || lpad(substr(id, 3), 7, '0') || '-' || k, id, '-infinity', 'infinity', created_at
  from accounts, generate_series(0, 1) k`;

const settings = `insert into settings (tenant_id, owner_type, owner_id, namespace, id, name, data_type, value)
  select tenant_id, 'ACCOUNT', id, 'billing', 'setting' || k, 'Setting ' || k, 'STRING', 'value ' || k
  from accounts, generate_series(0, 1) k`;

const changes = `insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version, after)
  select tenant_id, uuidv7(), customer_id, id, 'ACCOUNT_CREATED', created_at, 'import', 'import', 1, '{}' from accounts`;

/** Takes off the indexes that keep nothing unique, and the one that keeps aliases apart; answers how to put them on again. */
async function withoutIndexes(sql: postgres.Sql): Promise<string[]> {
  const indexes = await sql<{ name: string; definition: string }[]>`
    select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition from pg_index
    join pg_class on pg_class.oid = indrelid
    where relnamespace = 'public'::regnamespace and not indisunique and not indisexclusion`;
  const [overlap] = await sql<{ definition: string }[]>`
    select pg_get_constraintdef(oid) as definition from pg_constraint where conname = 'aliases_no_overlap'`;
  for (const { name } of indexes) await sql.unsafe(`drop index ${name}`);
  await sql`alter table aliases drop constraint aliases_no_overlap`;
  const definitions = indexes.map(({ definition }) => definition);
  return [...definitions, `alter table aliases add constraint aliases_no_overlap ${overlap?.definition}`];
}

/** Makes accounts of a tenant in a migrated database, each with two aliases and two settings. */
export async function loadAccounts(url: string, count: number): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  await sql`set maintenance_work_mem = '512MB'`;
  // What the data's own constraints would check is true by how it is made.
  await sql`set session_replication_role = replica`;
  const definitions = await withoutIndexes(sql);
  const inserts = [customers(Math.ceil(count / accountsPerCustomer)), accounts(count), ownNames, aliases];
  for (const insert of [...inserts, settings, changes, ...definitions]) await sql.unsafe(insert);
  await sql`vacuum analyze`;
  await sql.end();
}
