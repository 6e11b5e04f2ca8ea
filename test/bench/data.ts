import postgres from 'postgres';

export const accountsPerCustomer = 10;

/** The ids of the data. Every tenant has the same ones. */
export const accountId = (index: number): string => `A-${String(index).padStart(7, '0')}`;
export const customerId = (index: number): string => `C-${String(index).padStart(6, '0')}`;
export const aliasOf = (index: number): string => `device-${String(index).padStart(7, '0')}-0`;

export interface Size {
  /** The tenants with the ids 1 to `tenants`. */
  tenants: number;
  /** Accounts of each tenant. */
  accounts: number;
  /** Accounts of one more tenant. */
  small?: number;
}

const names = `(array['Northwind','Globex','Initech','Umbrella','Hooli','Vandelay','Wonka','Stark','Wayne','Acme'])`;

/** A row for each tenant and each number below `count`, each number a second after the one before. */
const numbered = ({ tenants, accounts, small = 0 }: Size, perRow: number, first: string) =>
  `(select t, n, timestamptz '${first}' + n * interval '1 second' as at
    from generate_series(1, ${tenants + 1}) t,
      generate_series(0, (case when t > ${tenants} then ${small} else ${accounts} end - 1) / ${perRow}) n
    where t <= ${tenants + Math.sign(small)}) numbered`;

const customerValues = [
  `'C-' || lpad(n::text, 6, '0')`,
  `${names}[n % 10 + 1] || ' Holding ' || n`,
  `'billing@customer' || n || '.example'`,
];
const accountValues = [
  `'A-' || lpad(n::text, 7, '0')`,
  `${names}[n % 10 + 1] || ' Account ' || n`,
  `'pay@account' || n || '.example'`,
  `'prepaid'`,
  `'tier' || n % 50`,
  `E'\\x1e'`,
  ...[0, 1].map((k) => `'device-' || lpad(n::text, 7, '0') || '-${k}'`),
];

/** Returns the text of searches. It and the facets are as the triggers of the tables write them. */
const searchText = (values: string[]) => `search_document(concat_ws(E'\\n', ${values.join(', ')}))`;

const customers = (size: Size) =>
  `insert into customers (tenant_id, id, node_id, name, status, primary_email, address_line1, address_city,
      address_postal_code, address_country, metadata, version, created_at, updated_at, search_text, facets)
    select t, 'C-' || lpad(n::text, 6, '0'), uuidv7(), ${names}[n % 10 + 1] || ' Holding ' || n, 'ACTIVE',
      'billing@customer' || n || '.example', n || ' Main Street', 'Florence', lpad((n % 100000)::text, 5, '0'), 'US',
      '{"source":"import"}', 1, at, at, ${searchText(customerValues)}, array['T' || t, 'ACTIVE', 'US']
    from ${numbered(size, accountsPerCustomer, '2026-01-01')}`;

const accounts = (size: Size) =>
  `insert into accounts (tenant_id, id, node_id, customer_id, name, status, invoice_currency, net_term_days,
      primary_email, address_line1, address_city, address_postal_code, address_country, tags, metadata, version,
      created_at, updated_at, search_text, facets)
    select t, 'A-' || lpad(n::text, 7, '0'), uuidv7(), 'C-' || lpad((n / ${accountsPerCustomer})::text, 6, '0'),
      ${names}[n % 10 + 1] || ' Account ' || n, 'ACTIVE', 'EUR', 45, 'pay@account' || n || '.example',
      n || ' Broadway', 'Florence', lpad((n % 100000)::text, 5, '0'), 'US', array['prepaid','tier' || n % 50],
      '{"source":"import"}', 1, at, at, ${searchText(accountValues)},
      array['T' || t, 'C:C-' || lpad((n / ${accountsPerCustomer})::text, 6, '0'), 'ACTIVE', 'US', 'EUR', 'prepaid', 'tier' || n % 50]
    from ${numbered(size, 1, '2026-02-01')}`;

const ownNames = `insert into aliases select tenant_id, id, id, '-infinity', 'infinity', created_at from accounts`;

const aliases = `insert into aliases
  select tenant_id, 'device-' || lpad(substr(id, 3), 7, '0') || '-' || k, id, '-infinity', 'infinity', created_at
  from accounts, generate_series(0, 1) k`;

const settings = `insert into settings (tenant_id, owner_type, owner_id, namespace, id, name, data_type, value)
  select tenant_id, 'ACCOUNT', id, 'billing', 'setting' || k, 'Setting ' || k, 'STRING', 'value ' || k
  from accounts, generate_series(0, 1) k`;

const changes = `insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version, after)
  select tenant_id, uuidv7(), customer_id, id, 'ACCOUNT_CREATED', created_at, 'import', 'import', 1, '{}' from accounts`;

/** Drops the indexes that enforce nothing and the exclusion constraint of aliases. Returns the statements that restore them. */
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

/** Inserts the accounts of each tenant into a migrated database, each with two aliases and two settings. */
export async function loadAccounts(url: string, size: Size): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  await sql`set maintenance_work_mem = '512MB'`;
  // The generated rows satisfy the triggers and foreign keys, and have the text of searches.
  await sql`set session_replication_role = replica`;
  const definitions = await withoutIndexes(sql);
  const inserts = [customers(size), accounts(size), ownNames, aliases, settings, changes];
  for (const statement of [...inserts, ...definitions]) await sql.unsafe(statement);
  await sql`vacuum analyze`;
  await sql.end();
}
