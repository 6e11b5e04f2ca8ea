import { randomUUID } from 'node:crypto';
import postgres from 'postgres';

/** The peers know one tenant: they read no token and look up no tenant. */
const tenant = 1;

export const sql = postgres(process.env.DATABASE_URL, { max: Number(process.env.DATABASE_POOL_SIZE) });

export const accountColumns = sql`accounts.id, accounts.name, accounts.status, accounts.invoice_currency as "invoiceCurrency",
  accounts.net_term_days as "netTermDays", accounts.primary_email as "primaryEmail", accounts.tags, accounts.version,
  accounts.updated_at as "updatedAt", accounts.customer_id as "customerId", accounts.address_line1 as line1,
  accounts.address_city as city, accounts.address_postal_code as "postalCode", accounts.address_country as country`;

export const inForce = sql`value <> account_id and effective_from <= now() and effective_until > now()`;

export const accountsByIds = (ids) =>
  sql`select ${accountColumns} from accounts where tenant_id = ${tenant} and id = any(${ids})`;

export const customersByIds = (ids) =>
  sql`select id, name from customers where tenant_id = ${tenant} and id = any(${ids})`;

export const aliasesByAccounts = (ids) =>
  sql`select account_id as "accountId", value from aliases
    where tenant_id = ${tenant} and account_id = any(${ids}) and ${inForce} order by created_at, value`;

export const settingsByAccounts = (ids) =>
  sql`select owner_id as "accountId", id, namespace, name, data_type as "dataType", value from settings
    where tenant_id = ${tenant} and owner_type = 'ACCOUNT' and owner_id = any(${ids}) order by namespace, id`;

export const accountByAlias = (alias) =>
  sql`select ${accountColumns} from aliases join accounts on accounts.tenant_id = ${tenant} and accounts.id = account_id
    where aliases.tenant_id = ${tenant} and value = ${alias} and effective_from <= now() and effective_until > now()`;

/** A page in the order of the last change; of an account more than asked for, to see whether there is a next page. */
export const accountPage = (first) =>
  sql`select ${accountColumns} from accounts where tenant_id = ${tenant} and status <> 'ARCHIVED'
    order by updated_at desc, id limit ${first + 1}`;

/** A page of the accounts that a search finds, by the texts and the index of this service. */
export const searchPage = ({ search, tag = null, orderBy }, first) =>
  sql`select ${accountColumns} from accounts
    where tenant_id = ${tenant} and facets @> ${tag === null ? ['T1'] : ['T1', tag]} and status <> 'ARCHIVED'
      and search_text like (select (search_pieces(search_patterns(${search})))[1])
      and search_text like all((select search_patterns(${search}))::text[])
    order by ${searchOrder(orderBy)} limit ${first + 1}`;

export const searchOrder = (orderBy) =>
  orderBy?.field === 'NAME' ? sql`name collate "C", id` : sql`"updatedAt" desc, id`;

export const cursorOf = ({ updatedAt, id }) =>
  Buffer.from(JSON.stringify([updatedAt, id])).toString('base64url');

/** Creates an account in one statement. */
const create = (input, history) => {
  const { id, name, customerId, address = {}, aliases = [], settings = [] } = input;
  return sql`with
    customer as (select id, name from customers
      where tenant_id = ${tenant} and id = ${customerId} and status = 'ACTIVE' for share),
    account as (insert into accounts (tenant_id, id, node_id, customer_id, name, status, invoice_currency, net_term_days,
        address_line1, address_city, address_postal_code, address_country, tags, metadata, version, created_at, updated_at)
      select ${tenant}, ${id}, ${randomUUID()}, customer.id, ${name}, 'ACTIVE',
        ${input.invoiceCurrency ?? null}, ${input.netTermDays ?? null}, ${address.line1 ?? null},
        ${address.city ?? null}, ${address.postalCode ?? null}, ${address.country ?? null}, '{}', '{}', 1, now(), now()
      from customer returning *),
    alias as (insert into aliases select ${tenant}, value, account.id, '-infinity', 'infinity', now()
      from account, unnest(${[id, ...aliases]}::text[]) value),
    setting as (insert into settings (tenant_id, owner_type, owner_id, namespace, id, name, data_type, value)
      select ${tenant}, 'ACCOUNT', account.id, namespace, s.id, s.name, "dataType", value from account,
        json_to_recordset(${settings}) s(namespace text, id text, name text, "dataType" text, value text))
    ${history}
    select account.id, account.name, account.customer_id as "customerId", customer.name as "customerName"
    from account, customer`;
};

/** Does the work of this service: writes the history row in the same statement. */
export const createAccount = (input) => {
  const { name, address = {}, aliases = [], settings = [] } = input;
  const after = { name, ...address, aliases, settings };
  return create(
    input,
    sql`, change as (insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version, after)
      select ${tenant}, ${randomUUID()}, customer_id, account.id, 'ACCOUNT_CREATED', now(), 'bench', 'bench', 1, ${after}
      from account)`,
  );
};

export const createAccountPlain = (input) => create(input, sql``);

async function requireRow(query) {
  const rows = await query;
  if (rows.length === 0) throw new Error('The account does not exist or has another version.');
  return rows;
}

/** Does the work of this service: checks the version and writes the history row in the same statement. */
export const updateAccount = ({ id, name, expectedVersion }) =>
  requireRow(sql`with
    before as (select name from accounts where tenant_id = ${tenant} and id = ${id} and status <> 'ARCHIVED'
      and (${expectedVersion ?? null}::int is null or version = ${expectedVersion ?? null}) for no key update),
    after as (update accounts set name = ${name}, version = version + 1, updated_at = now() from before
      where tenant_id = ${tenant} and id = ${id} returning accounts.*),
    change as (insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version, before, after)
      select ${tenant}, ${randomUUID()}, after.customer_id, after.id, 'ACCOUNT_UPDATED', now(), 'bench', 'bench',
        after.version, jsonb_build_object('name', before.name), jsonb_build_object('name', after.name) from before, after)
    select id, name, version from after`);

export const updateAccountPlain = ({ id, name }) =>
  requireRow(sql`update accounts set name = ${name}, version = version + 1, updated_at = now()
    where tenant_id = ${tenant} and id = ${id} and status <> 'ARCHIVED' returning id, name, version`);

/** Groups rows by account, in the order of the ids that were asked for. */
export function groupByAccount(ids, rows) {
  const groups = new Map(ids.map((id) => [id, []]));
  for (const row of rows) groups.get(row.accountId).push(row);
  return ids.map((id) => groups.get(id));
}

export function inOrder(ids, rows) {
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => found.get(id) ?? null);
}
