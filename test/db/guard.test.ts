import { Placeholder, sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { accounts } from '../../src/account/table.ts';
import { statement } from '../../src/db/statement.ts';
import { UnrestrictedError, unrestrictedIn } from '../../src/db/tenancy/guard.ts';
import { useService } from '../support/service.ts';

const service = useService();

/** What the guard finds in a statement whose first parameter is the tenant. */
const found = (text: string) =>
  unrestrictedIn({ sql: text, params: [new Placeholder('tenantId'), new Placeholder('other')] });

const mine = 'accounts.tenant_id = $1';

describe('a statement passes when each of its tables is restricted', () => {
  it.each([
    ['by WHERE', `select * from accounts where ${mine} and accounts.id = $2`],
    ['under another name', 'select * from accounts a where $1::integer = a.tenant_id'],
    ['in a row', 'select * from accounts where (accounts.tenant_id, accounts.id) = ($1, $2)'],
    ['out of the reach of indexes', `select * from accounts where (${mine}) is true`],
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
    ['or it reads none', 'select pg_advisory_xact_lock($2)'],
    ['or they are PostgreSQL’s own', 'select * from pg_catalog.pg_class'],
  ])('%s', (_, text) => expect(found(text)).resolves.toEqual([]));
});

describe('a statement is refused that', () => {
  it.each([
    ['forgets it', 'select * from accounts', ['accounts']],
    ['compares another value', 'select * from accounts where accounts.tenant_id = $2', ['accounts']],
    ['compares a constant', 'select * from accounts where accounts.tenant_id = 1', ['accounts']],
    [
      'compares the column with itself',
      'select * from accounts where accounts.tenant_id = accounts.tenant_id',
      ['accounts'],
    ],
    ['compares otherwise', 'select * from accounts where accounts.tenant_id >= $1', ['accounts']],
    ['leaves a way around', `select * from accounts where ${mine} or accounts.id = $2`, ['accounts']],
    ['turns it around', `select * from accounts where not (${mine})`, ['accounts']],
    [
      'forgets one of two tables',
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
      'forgets it in a sub-query',
      `select (select count(*) from aliases) from accounts where ${mine}`,
      ['aliases'],
    ],
    [
      'forgets it in a condition of a join',
      `select * from accounts join (values (1)) v on exists (select from aliases) where ${mine}`,
      ['aliases'],
    ],
    ['forgets it in WITH', `with x as (select * from accounts) select * from x`, ['accounts']],
    [
      'reads a table before WITH hides it',
      `with a as (select * from accounts), accounts as (select 1) select * from a`,
      ['accounts'],
    ],
    [
      'trusts what WITH calls a tenant',
      `with x as (select $2::integer as tenant_id) select * from x join accounts on accounts.tenant_id = x.tenant_id`,
      ['accounts'],
    ],
    [
      'trusts a name that another hides',
      `select * from accounts where ${mine} and exists (select from customers accounts, aliases x where x.tenant_id = accounts.tenant_id)`,
      ['customers (as accounts)', 'aliases (as x)'],
    ],
    [
      'forgets it in half of a union',
      `select id from accounts where ${mine} union select id from customers`,
      ['customers'],
    ],
    ['samples a table', `select * from accounts tablesample system (1) where ${mine}`, ['RangeVar']],
    ['updates all', `update accounts set name = 'x'`, ['accounts']],
    ['deletes all', `delete from accounts where accounts.id = $2`, ['accounts']],
    ['gives a row away', `update accounts set tenant_id = $2 where ${mine}`, ['set tenant_id']],
    ['inserts for another', 'insert into accounts (tenant_id) values ($1), ($2)', ['insert into accounts']],
    [
      'inserts what it was given',
      'insert into accounts (tenant_id) select r.tenant_id from json_to_recordset($2) as r(tenant_id integer)',
      ['insert into accounts'],
    ],
    ['inserts for nobody', 'insert into accounts (id) values ($2)', ['insert into accounts']],
    [
      'gives a row away that was in the way',
      'insert into accounts (tenant_id) values ($1) on conflict (id) do update set tenant_id = $2',
      ['set tenant_id'],
    ],
    [
      'says it bare, where any table could be meant',
      'select * from accounts where tenant_id = $1',
      ['accounts'],
    ],
    ['empties a table', 'truncate accounts', ['TruncateStmt']],
    ['hides behind a good one', `select * from accounts where ${mine}; select * from accounts`, ['accounts']],
  ])('%s', (_, text, problems) => expect(found(text)).resolves.toEqual(problems));
});

describe('where requests are served,', () => {
  const forgetful = statement('forgetful', (orm) =>
    orm
      .select({ id: accounts.id })
      .from(accounts)
      .where(sql`${accounts.id} = ${sql.placeholder('id')}`),
  );

  it.each(['run', 'transaction'] as const)(
    '%s sends PostgreSQL nothing of a statement that is refused',
    async (way) => {
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
    },
  );
});
