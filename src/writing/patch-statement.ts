import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { toSnakeCase } from 'drizzle-orm/casing';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { jsonJoined } from '../db/json.ts';
import { recordset, storedKeys, tenantId } from '../db/rows.ts';
import { type Orm, statement } from '../db/statement.ts';
import type { ChangeKind } from '../history/rules.ts';
import { changes } from '../history/table.ts';
import { keySteps, recordAnswers } from './idempotency.ts';

/** A table whose rows have a tenant, an id and a version. */
export type VersionedTable = PgTable & Record<'tenantId' | 'id' | 'version' | 'updatedAt', PgColumn>;

/** Returns the later of the instant of a request and that of the last write, which may have overtaken it. */
export function laterOf(updatedAt: PgColumn, now: SQLWrapper): SQL {
  return sql`greatest(${updatedAt}, ${now}::timestamptz)`;
}

/** The table and the columns that a patch can change. */
export interface Patched<T extends VersionedTable = VersionedTable> {
  name: string;
  kind: ChangeKind;
  table: T;
  keys: readonly string[];
  /**
   * A condition for setting these keys, on `before`, the row as it was, and `input`. The version and the status are
   * checked in addition.
   */
  allowed(keys: readonly string[]): SQL;
  /** The owner of the change, from `after`. */
  customerId: SQL;
  accountId: SQL;
}

/** The columns of an input beside the values to set. `set` lists the columns to set. */
const inputColumns = {
  set: 'text[]',
  expectedVersion: 'integer',
  idempotencyKey: 'text',
  fingerprint: 'text',
  changeId: 'uuid',
  at: 'timestamptz',
  actor: 'text',
  requestId: 'text',
};

/** Returns the CTE of the inputs. Each must have a different id. */
function inputStep(orm: Orm, { table, keys }: Patched<VersionedTable>) {
  const fields = ['id', ...keys, ...Object.keys(inputColumns)];
  const columns = fields.map((field) => [field, sql`input.${sql.identifier(field)}`.as(field)]);
  return orm
    .$with('input')
    .as(
      orm
        .select(Object.fromEntries(columns) as Record<string, SQL.Aliased>)
        .from(recordset(table, 'input', inputColumns, ['id', ...keys])),
    );
}

function columnOf(table: PgTable, key: string): PgColumn {
  return (table as unknown as Record<string, PgColumn>)[key] as PgColumn;
}

/** The condition that an input changes at least one column. */
function changesSomething({ keys }: Patched<VersionedTable>): SQL {
  const differences = keys.map((key) => {
    const [name, column] = [sql.raw(`'${key}'`), sql.identifier(toSnakeCase(key))];
    return sql`${name} = any(input."set") and input.${sql.identifier(key)} is distinct from before.${column}`;
  });
  return sql`(${sql.join(differences, sql` or `)})`;
}

/**
 * Returns the CTEs that change the rows. `before` locks them in one order for all writers, and has their old values.
 * `after` has the new values of the rows that `allowed` matches, if they differ. `outcome` has all that `allowed` matches.
 */
function patchSteps(orm: Orm, patched: Patched<VersionedTable>, allowed: SQL) {
  const { table, keys } = patched;
  const differs = changesSomething(patched);
  const mine = sql`${table.tenantId} = ${tenantId}`;
  const before = orm.$with('before').as(
    orm
      .select()
      .from(table as PgTable)
      .where(sql`${mine} and ${table.id} = any(array(select id from input))`)
      .orderBy(table.id)
      .for('no key update'),
  );
  const changed = keys.map((key) => [
    key,
    sql`case when ${sql.raw(`'${key}'`)} = any(input."set") then input.${sql.identifier(key)} else ${columnOf(table, key)} end`,
  ]);
  const after = orm.$with('after').as(
    orm
      .update(table as PgTable)
      .set({
        ...Object.fromEntries(changed),
        version: sql`${table.version} + 1`,
        updatedAt: laterOf(table.updatedAt, sql`input.at`),
      })
      .from(sql`input join before on before.id = input.id`)
      .where(
        sql`${mine} and ${table.id} = any(array(select id from before)) and ${table.id} = input.id and ${allowed} and ${differs}`,
      )
      .returning(),
  );
  const outcome = orm.$with('outcome', { id: sql<string>`id` }).as(
    sql`select * from after union all
      select before.* from input join before on before.id = input.id where ${allowed} and not ${differs}`,
  );
  return { before, after, outcome };
}

/** Returns the row of a CTE as JSON, with the keys of the code. */
function rowJson(cte: string, keys: readonly string[]): SQL {
  const pairs = keys.map(
    (key) => sql`${sql.raw(`'${key}'`)}, ${sql.identifier(cte)}.${sql.identifier(toSnakeCase(key))}`,
  );
  return sql`jsonb_build_object(${sql.join(pairs, sql`, `)})`;
}

/** Returns the members in which `before` and `after` differ, as JSON with the values of one of them. */
function difference(of: 'before' | 'after', keys: readonly string[]): SQL {
  const members = keys.map((key) => {
    const column = sql.identifier(toSnakeCase(key));
    const member = sql`jsonb_build_object(${sql.raw(`'${key}'`)}, ${sql.identifier(of)}.${column})`;
    return sql`case when before.${column} is distinct from after.${column} then ${member} else '{}' end`;
  });
  return sql.join(members, sql` || `);
}

function insertChange(orm: Orm, { kind, keys, customerId, accountId }: Patched<VersionedTable>) {
  return orm.$with('change').as(
    orm
      .insert(changes)
      .select(
        orm
          .select({
            tenantId: sql<number>`${tenantId}::integer`.as('tenantId'),
            id: sql<string>`input."changeId"`.as('id'),
            customerId: sql<string>`${customerId}`.as('customerId'),
            accountId: sql<string | null>`${accountId}`.as('accountId'),
            kind: sql<ChangeKind>`${sql.raw(`'${kind}'`)}`.as('kind'),
            at: sql<Date>`input.at`.as('at'),
            actor: sql<string>`input.actor`.as('actor'),
            requestId: sql<string>`input."requestId"`.as('requestId'),
            version: sql<number>`after.version`.as('version'),
            before: sql<Record<string, unknown>>`${difference('before', keys)}`.as('before'),
            after: sql<Record<string, unknown>>`${difference('after', keys)}`.as('after'),
            transactionId: sql<string>`pg_current_xact_id()`.as('transactionId'),
          })
          .from(sql`input join before on before.id = input.id join after on after.id = input.id`),
      )
      .returning({ id: changes.id }),
  );
}

/** The columns that explain a refusal. */
const refused = {
  id: sql<string>`before.id`,
  status: sql<string>`before.status`,
  version: sql<number>`before.version`,
};

export type Refused = { id: string; status: string; version: number };

function defineStatement(name: string, patched: Patched, hasKeys: boolean) {
  const { table, keys } = patched;
  return statement(name, (orm) => {
    const input = inputStep(orm, patched);
    const repeats = keySteps(orm, hasKeys);
    const allowed = sql`${repeats.isFresh} and before.status <> 'ARCHIVED'
      and coalesce(input."expectedVersion", before.version) = before.version and ${patched.allowed(keys)}`;
    const { before, after, outcome } = patchSteps(orm, patched, allowed);
    const change = insertChange(orm, patched);
    const written = sql`input join outcome on outcome.id = input.id`;
    const record = recordAnswers(orm, written, rowJson('outcome', storedKeys(table)));
    return orm
      .with(input, ...repeats.steps, before, after, outcome, change, ...(hasKeys ? [record] : []))
      .select({
        id: sql<string>`input.id`,
        before: refused,
        after: jsonJoined(table, 'outcome'),
        ...repeats.outcome,
      })
      .from(sql`input ${repeats.joins}`)
      .leftJoin(before, sql`before.id = input.id`)
      .leftJoin(outcome, sql`outcome.id = input.id`);
  });
}

export type PatchStatement = ReturnType<typeof defineStatement>;

/** Returns the statement for the keys that an update sets, and for updates with or without idempotency keys. */
export type PatchStatements = (set: readonly string[], hasKeys: boolean) => PatchStatement;

/**
 * Defines the statements that update rows, with their idempotency keys, version checks, history and records. The most
 * common updates, of one key, have lighter statements than others.
 */
export function patchStatements(patched: Patched): PatchStatements {
  const { name, keys } = patched;
  const define = (hasKeys: boolean) => {
    const full = hasKeys ? `${name}_once` : name;
    const ofOne = keys.map(
      (key) => [key, defineStatement(`${full}_${key}`, { ...patched, keys: [key] }, hasKeys)] as const,
    );
    return { ofAll: defineStatement(full, patched, hasKeys), ofOne: new Map<string, PatchStatement>(ofOne) };
  };
  const [keyless, keyed] = [define(false), define(true)];
  return (set, hasKeys) => {
    const { ofAll, ofOne } = hasKeys ? keyed : keyless;
    return (set.length === 1 ? ofOne.get(set[0] ?? '') : undefined) ?? ofAll;
  };
}
