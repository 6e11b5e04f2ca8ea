import { type SQL, sql } from 'drizzle-orm';
import { expect, it } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();

/** Inserts a copy of a row of `table` with changed columns, as another program could. */
function copyOf(table: string, key: SQL, changed: Record<string, SQL>): SQL {
  const columns = sql.join(
    Object.entries(changed).map(([name, value]) => sql`${value} as ${sql.identifier(name)}`),
    sql`, `,
  );
  return sql`insert into ${sql.identifier(table)} select (jsonb_populate_record(t, to_jsonb(changed))).*
    from ${sql.identifier(table)} t, (select ${columns}) changed where ${key}`;
}

const anotherNode = sql`gen_random_uuid()`;
const accountCopy = (changed: Record<string, SQL>) => (tenantId: number) =>
  copyOf('accounts', sql`t.tenant_id = ${tenantId} and t.id = 'A1'`, {
    id: sql`'A9'`,
    node_id: anotherNode,
    ...changed,
  });
const aliasCopy = (changed: Record<string, SQL>) => (tenantId: number) =>
  copyOf('aliases', sql`t.tenant_id = ${tenantId} and t.value = 'x'`, changed);
const customerCopy = (changed: Record<string, SQL>) => (tenantId: number) =>
  copyOf('customers', sql`t.tenant_id = ${tenantId} and t.id = 'C1'`, {
    id: sql`'C9'`,
    node_id: anotherNode,
    ...changed,
  });

const cases: [string, string, (tenantId: number) => SQL][] = [
  ['an account whose id is taken', 'accounts_pkey', accountCopy({ id: sql`'A1'` })],
  ['an account with an empty id', 'accounts_id_check', accountCopy({ id: sql`''` })],
  ['an account with an empty name', 'accounts_name_check', accountCopy({ name: sql`''` })],
  ['an account with an unknown status', 'accounts_status_check', accountCopy({ status: sql`'OPEN'` })],
  [
    'a currency in lower case',
    'accounts_invoice_currency_check',
    accountCopy({ invoice_currency: sql`'usd'` }),
  ],
  ['net terms of 366 days', 'accounts_net_term_days_check', accountCopy({ net_term_days: sql`366` })],
  [
    'one list of recipients without the other',
    'accounts_recipients_check',
    accountCopy({ email_recipients: sql`'{a}'::text[]` }),
  ],
  ['an account without a customer', 'accounts_customer_fkey', accountCopy({ customer_id: sql`'nobody'` })],
  ['an account of another tenant’s customer', 'accounts_customer_fkey', accountCopy({ tenant_id: sql`-1` })],
  [
    'an alias of another account',
    'aliases_no_overlap',
    aliasCopy({ account_id: sql`'A2'`, effective_from: sql`'2020-01-01'::text` }),
  ],
  [
    'an alias that is the id of an account',
    'aliases_no_overlap',
    aliasCopy({ value: sql`'A2'`, effective_from: sql`'2020-01-01'::text` }),
  ],
  [
    'an alias without an account',
    'aliases_account_fkey',
    aliasCopy({ value: sql`'y'`, account_id: sql`'nobody'` }),
  ],
  [
    'an alias with an empty span',
    'aliases_span_check',
    aliasCopy({ value: sql`'y'`, effective_until: sql`'-infinity'` }),
  ],
  ['an alias without a value', 'aliases_value_check', aliasCopy({ value: sql`''` })],
  ['a customer whose id is taken', 'customers_pkey', customerCopy({ id: sql`'C1'` })],
  ['a customer with an empty name', 'customers_name_check', customerCopy({ name: sql`''` })],
  ['a customer without a tenant', 'customers_tenant_id_fkey', customerCopy({ tenant_id: sql`-1` })],
  ['a customer with an unknown status', 'customers_status_check', customerCopy({ status: sql`'DRAFT'` })],
];

it.each(cases)('rejects %s by %s', async (_, constraint, statementFor) => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { aliases: ['x'] });
  await createAccount(client, { id: 'A2' });
  const violated = await service.database.orm.execute(statementFor(client.tenantId)).then(
    () => 'none',
    (error: Json) => error.cause.constraint_name ?? String(error.cause),
  );
  expect(violated).toBe(constraint);
});

it('accepts the unchanged copies', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { aliases: ['x'] });
  const copies = [accountCopy({}), customerCopy({}), aliasCopy({ value: sql`'y'` })];
  for (const copy of copies) await service.database.orm.execute(copy(client.tenantId));
});
