import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadModule, parseSync } from 'libpg-query';
import { beforeAll, expect, it } from 'vitest';
import type { Json } from '../support/service.ts';
import { root } from '../support/source.ts';

beforeAll(loadModule);

/**
 * Earlier migrations that break the previous version, which had not been released yet. A new migration needs an entry only
 * if its release notes tell operators to stop the service.
 */
const known: Record<string, string[]> = {
  '0001_guards.sql': ['ALTER TABLE aliases: AT_AddConstraint', 'CreateTrigStmt'],
  '0004_key_scopes.sql': ['ALTER TABLE api_keys: AT_ColumnDefault', 'ALTER TABLE api_keys: AT_AddConstraint'],
  '0006_history_by_version.sql': ['unique index on changes', 'unique index on changes'],
  '0007_longer_actors.sql': ['ALTER TABLE changes: AT_AlterColumnType'],
  // Wider columns and looser checks, and tags that the version before would store, too.
  '0010_accept_what_people_send.sql': [
    'ALTER TABLE accounts: AT_DropConstraint',
    'ALTER TABLE customers: AT_DropConstraint',
    ...Array(3).fill('ALTER TABLE accounts: AT_AlterColumnType'),
    'ALTER TABLE aliases: AT_AlterColumnType',
    ...Array(3).fill('ALTER TABLE customers: AT_AlterColumnType'),
    'ALTER TABLE accounts: AT_AddConstraint',
    'ALTER TABLE customers: AT_AddConstraint',
    'UpdateStmt',
  ],
  // Triggers that write a column of their own, and the filling of it: `migrate.test.ts` runs the previous version's writes.
  '0012_search_text.sql': Array(10).fill('CreateTrigStmt'),
  '0013_search_indexes.sql': ['DoStmt', 'DoStmt'],
  // A looser check.
  '0016_webhooks.sql': ['ALTER TABLE api_keys: AT_DropConstraint', 'ALTER TABLE api_keys: AT_AddConstraint'],
  // A looser check.
  '0018_reverted_accounts.sql': [
    'ALTER TABLE changes: AT_DropConstraint',
    'ALTER TABLE changes: AT_AddConstraint',
  ],
};

/** Whether the previous version, which does not know the new column, can insert rows. */
function mayBeLeftOut({ constraints = [] }: Json): boolean {
  const types = constraints.map(({ Constraint }: Json) => Constraint.contype);
  return !types.includes('CONSTR_NOTNULL') || types.includes('CONSTR_DEFAULT');
}

/** Returns the parts of a statement that could fail the previous version. `made` has the tables of the same migration. */
function breaks(statement: Json, made: Set<string>): string[] {
  const [kind = '', node] = Object.entries<Json>(statement)[0] ?? [];
  const table = node.relation?.relname;
  if (kind === 'CreateStmt') made.add(table);
  if (made.has(table) || ['CreateExtensionStmt', 'CreateFunctionStmt'].includes(kind)) return [];
  if (kind === 'IndexStmt') return node.unique ? [`unique index on ${table}`] : [];
  if ((node.removeType ?? node.renameType) === 'OBJECT_INDEX') return [];
  if (kind !== 'AlterTableStmt') return [kind];
  return node.cmds.flatMap(({ AlterTableCmd: { subtype, def } }: Json) =>
    subtype === 'AT_AddColumn' && mayBeLeftOut(def.ColumnDef) ? [] : [`ALTER TABLE ${table}: ${subtype}`],
  );
}

function breaking(text: string): string[] {
  const made = new Set<string>();
  return (parseSync(text).stmts ?? []).flatMap(({ stmt }: Json) => breaks(stmt, made));
}

it('has only migrations that the previous version tolerates', async () => {
  const files = (await readdir(join(root, 'migrations'))).filter((name) => name.endsWith('.sql'));
  const found = await Promise.all(
    files.map(async (file) => [file, breaking(await readFile(join(root, 'migrations', file), 'utf8'))]),
  );
  expect(Object.fromEntries(found.filter(([, problems]) => problems?.length))).toEqual(known);
});

it.each([
  ['alter table accounts add column note text not null', 'ALTER TABLE accounts: AT_AddColumn'],
  ['alter table accounts drop column name', 'ALTER TABLE accounts: AT_DropColumn'],
  ['alter table accounts alter column name set not null', 'ALTER TABLE accounts: AT_SetNotNull'],
  ['alter table accounts rename column name to title', 'RenameStmt'],
  ['create unique index on accounts (name)', 'unique index on accounts'],
  ['drop table accounts', 'DropStmt'],
  ['update accounts set name = upper(name)', 'UpdateStmt'],
])('rejects a statement that breaks the previous version: %s', (statement, problem) => {
  expect(breaking(statement)).toEqual([problem]);
});

it.each([
  'alter table accounts add column note text',
  "alter table accounts add column note text not null default ''",
  'create table notes (id integer not null unique); create unique index on notes (id)',
  'create index on accounts (name)',
  'drop index accounts_name_idx',
  'alter index accounts_name_idx rename to accounts_by_name_idx',
])('accepts a statement that does not: %s', (statement) => {
  expect(breaking(statement)).toEqual([]);
});
