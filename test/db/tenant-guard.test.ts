import { Placeholder, sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { accounts } from '../../src/account/table.ts';
import { statement } from '../../src/db/statement.ts';
import { UnrestrictedError, unrestrictedIn } from '../../src/db/tenancy/guard.ts';
import { useService } from '../support/service.ts';

const service = useService();

/** Returns the unrestricted tables of a statement whose first parameter is the tenant. */
const found = (text: string) =>
  unrestrictedIn({ sql: text, params: [new Placeholder('tenantId'), new Placeholder('other')] });

const mine = 'accounts.tenant_id = $1';

describe('unrestrictedIn', () => {
  it.each([
    ['by WHERE', `select * from accounts where ${mine} and accounts.id = $2`],
    ['under another name', 'select * from accounts a where $1::integer = a.tenant_id'],
    ['in a row comparison', 'select * from accounts where (accounts.tenant_id, accounts.id) = ($1, $2)'],
    ['in a condition that no index supports', `select * from accounts where (${mine}) is true`],
    [
      'by the table it is joined with',
      `select * from customers c join accounts on accounts.tenant_id = c.tenant_id where ${mine}`,
    ],
    [
      'by an outer join',
      `select * from accounts left join customers c on c.tenant_id = accounts.tenant_id where ${mine}`,
    ],
    [
      'by the query around it',
      `select * from accounts where ${mine} and exists (select from aliases x where x.tenant_id = accounts.tenant_id)`,
    ],
    [
      'in WITH',
      `with customer as (select * from customers where customers.tenant_id = $1) select * from customer`,
    ],
    [
      'in each half of a union',
      `select id from accounts where ${mine} union all (select id from accounts where ${mine})`,
    ],
    ['in FROM', `select * from (select * from accounts where ${mine}) as accounts`],
    [
      'beside a function',
      `select * from unnest($2::text[]) as w(id) join accounts on ${mine} and accounts.id = w.id`,
    ],
    ['by the id of the tenant', 'select * from tenants where tenants.id = $1'],
    [
      'by the tenant it is joined with',
      'select * from tenants t join accounts on accounts.tenant_id = t.id where t.id = $1',
    ],
    ['in an update of the tenant', `update tenants set name = 'x' where tenants.id = $1`],
    ['in an update', `update accounts set name = 'x' where ${mine}`],
    [
      'in a delete',
      `delete from aliases using accounts where ${mine} and aliases.tenant_id = accounts.tenant_id`,
    ],
    ['in an insert of values', 'insert into accounts (id, tenant_id) values ($2, $1)'],
    [
      'in an insert of rows',
      'insert into accounts (tenant_id, id) select $1::integer, r.id from json_to_recordset($2) as r(id text) on conflict do nothing returning accounts.id',
    ],
    ['or reads none', 'select pg_advisory_xact_lock($2)'],
    ['or only system tables', 'select * from pg_catalog.pg_class'],
  ])('accepts a statement that restricts each table %s', (_, text) =>
    expect(found(text)).resolves.toEqual([]),
  );
});

describe('unrestrictedIn with an unrestricted table', () => {
  it.each([
    ['has no condition', 'select * from accounts', ['accounts']],
    ['compares another value', 'select * from accounts where accounts.tenant_id = $2', ['accounts']],
    ['compares another id with a tenant', 'select * from tenants where tenants.id = $2', ['tenants']],
    ['compares the id of another table', 'select * from accounts where accounts.id = $1', ['accounts']],
    ['compares a tenant by another column', 'select * from tenants where tenants.name = $1', ['tenants']],
    [
      'trusts a tenant_id in tenants',
      'select * from tenants join accounts on accounts.tenant_id = tenants.tenant_id where tenants.id = $1',
      ['accounts'],
    ],
    ['changes the id of a tenant', 'update tenants set id = $2 where tenants.id = $1', ['set id']],
    ['compares a constant', 'select * from accounts where accounts.tenant_id = 1', ['accounts']],
    [
      'compares the column with itself',
      'select * from accounts where accounts.tenant_id = accounts.tenant_id',
      ['accounts'],
    ],
    ['compares with another operator', 'select * from accounts where accounts.tenant_id >= $1', ['accounts']],
    [
      'has an alternative condition',
      `select * from accounts where ${mine} or accounts.id = $2`,
      ['accounts'],
    ],
    ['negates the condition', `select * from accounts where not (${mine})`, ['accounts']],
    [
      'restricts one of two tables',
      `select * from accounts join customers c on c.id = accounts.customer_id where ${mine}`,
      ['customers (as c)'],
    ],
    [
      'restricts the wrong side of an outer join',
      `select * from accounts left join customers c on c.tenant_id = $1 and ${mine}`,
      ['accounts'],
    ],
    [
      'restricts neither side of a full join',
      `select * from accounts full join customers c on c.tenant_id = $1 and ${mine}`,
      ['accounts', 'customers (as c)'],
    ],
    [
      'has no condition in a subquery',
      `select (select count(*) from aliases) from accounts where ${mine}`,
      ['aliases'],
    ],
    [
      'has no condition in a join condition',
      `select * from accounts join (values (1)) v on exists (select from aliases) where ${mine}`,
      ['aliases'],
    ],
    ['has no condition in WITH', `with x as (select * from accounts) select * from x`, ['accounts']],
    [
      'reads a table before a WITH query shadows it',
      `with a as (select * from accounts), accounts as (select 1) select * from a`,
      ['accounts'],
    ],
    [
      'trusts a tenant_id of a WITH query',
      `with x as (select $2::integer as tenant_id) select * from x join accounts on accounts.tenant_id = x.tenant_id`,
      ['accounts'],
    ],
    [
      'trusts a shadowed name',
      `select * from accounts where ${mine} and exists (select from customers accounts, aliases x where x.tenant_id = accounts.tenant_id)`,
      ['customers (as accounts)', 'aliases (as x)'],
    ],
    [
      'has no condition in half of a union',
      `select id from accounts where ${mine} union select id from customers`,
      ['customers'],
    ],
    ['samples a table', `select * from accounts tablesample system (1) where ${mine}`, ['RangeVar']],
    ['updates all rows', `update accounts set name = 'x'`, ['accounts']],
    ['deletes all rows', `delete from accounts where accounts.id = $2`, ['accounts']],
    ['changes the tenant of a row', `update accounts set tenant_id = $2 where ${mine}`, ['set tenant_id']],
    [
      'inserts for another tenant',
      'insert into accounts (tenant_id) values ($1), ($2)',
      ['insert into accounts'],
    ],
    [
      'inserts a given tenant_id',
      'insert into accounts (tenant_id) select r.tenant_id from json_to_recordset($2) as r(tenant_id integer)',
      ['insert into accounts'],
    ],
    ['inserts without a tenant', 'insert into accounts (id) values ($2)', ['insert into accounts']],
    [
      'changes the tenant of a conflicting row',
      'insert into accounts (tenant_id) values ($1) on conflict (id) do update set tenant_id = $2',
      ['set tenant_id'],
    ],
    ['compares an unqualified tenant_id', 'select * from accounts where tenant_id = $1', ['accounts']],
    ['empties a table', 'truncate accounts', ['TruncateStmt']],
    [
      'follows a restricted statement',
      `select * from accounts where ${mine}; select * from accounts`,
      ['accounts'],
    ],
  ])('rejects a statement that %s', (_, text, problems) => expect(found(text)).resolves.toEqual(problems));
});

describe('Database', () => {
  const forgetful = statement('forgetful', (orm) =>
    orm
      .select({ id: accounts.id })
      .from(accounts)
      .where(sql`${accounts.id} = ${sql.placeholder('id')}`),
  );

  it.each(['run', 'transaction'] as const)('sends no rejected statement to PostgreSQL in %s', async (way) => {
    const { database } = service;
    const call = () =>
      way === 'run'
        ? database.run(forgetful, { id: 'A1' })
        : database.transaction((run) => run(forgetful, { id: 'A1' }));
    const texts = await service.statements(async () => {
      for (const attempt of [call, call]) {
        await expect(attempt()).rejects.toThrow(
          new UnrestrictedError('The statement forgetful is not restricted to its tenant: accounts.'),
        );
      }
    });
    expect(texts.filter((text) => text.includes('accounts'))).toEqual([]);
  });
});
