import { type SQL, sql } from 'drizzle-orm';
import { toSnakeCase } from 'drizzle-orm/casing';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { Ctx } from '../ctx.ts';
import type { Orm } from '../db/client.ts';
import { isViolation } from '../db/constraint.ts';
import { fieldsOf, insertedFrom, joined, recordset, storedKeys, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import type { ChangeKind } from '../history/rules.ts';
import { changes } from '../history/table.ts';
import { changeRow, newChange } from '../history/write.ts';
import {
  answersSoFar,
  earlierAnswer,
  type KeyValues,
  keyColumns,
  keyConstraint,
  keyFields,
  keyOutcome,
  keyPlaceholders,
  keySteps,
  keyValues,
  maxTries,
  recordAnswers,
} from '../idempotency/write.ts';
import { AppError } from '../lib/errors.ts';

/** A table whose rows have an id of their tenant's and a version. */
export type VersionedTable = PgTable & Record<'tenantId' | 'id' | 'version' | 'updatedAt', PgColumn>;

/** The instant of the request, but never before that of the last write, which may have overtaken it. */
export function laterOf(updatedAt: PgColumn): SQL {
  return sql`greatest(${updatedAt}, ${sql.placeholder('now')}::timestamptz)`;
}

function columnOf(table: PgTable, key: string): PgColumn {
  return (table as unknown as Record<string, PgColumn>)[key] as PgColumn;
}

/**
 * The steps by which a statement changes one row: `input` is the CTE of the new values, where `set` names the columns
 * to change; `before` locks the row and shows it as it was, `after` is the row where `allowed` held, else nothing.
 */
function patchSteps<T extends VersionedTable>(orm: Orm, table: T, keys: readonly string[], allowed: SQL) {
  const mine = sql`${table.tenantId} = ${tenantId}`;
  const before = orm.$with('before').as(
    orm
      .select()
      .from(table as PgTable)
      .where(sql`${mine} and ${table.id} = (select id from input)`)
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
        updatedAt: laterOf(table.updatedAt),
      })
      .from(sql`input join before on before.id = input.id`)
      .where(sql`${mine} and ${table.id} = input.id and ${allowed}`)
      .returning(),
  );
  return { before, after };
}

/** The row of a CTE as JSON, named as the code names its columns. */
function rowJson(cte: string, keys: readonly string[]): SQL {
  const pairs = keys.map(
    (key) => sql`${sql.raw(`'${key}'`)}, ${sql.identifier(cte)}.${sql.identifier(toSnakeCase(key))}`,
  );
  return sql`jsonb_build_object(${sql.join(pairs, sql`, `)})`;
}

/** The members in which `before` and `after` differ, as JSON of the one and of the other: the row `difference`. */
function difference(keys: readonly string[]): SQL {
  const fields = keys.map((key) => {
    const column = sql.identifier(toSnakeCase(key));
    return sql`(${sql.raw(`'${key}'`)}, to_jsonb(before.${column}), to_jsonb(after.${column}))`;
  });
  return sql`lateral (select coalesce(jsonb_object_agg(key, old), '{}') as old, coalesce(jsonb_object_agg(key, new), '{}') as new
    from (values ${sql.join(fields, sql`, `)}) as field(key, old, new) where old is distinct from new) as difference`;
}

/** What a patch's statement needs to know of its table. */
export interface Patched<T extends VersionedTable> {
  name: string;
  table: T;
  keys: readonly string[];
  /** What must hold of `before`, the row as it was, and `input`, beside its version and status. */
  allowed: SQL;
  /** Whom the change belongs to, from `after`. */
  customerId: SQL;
  accountId: SQL;
}

const inputColumns = { ...keyColumns, set: 'text[]', expectedVersion: 'integer' };

function insertChange(orm: Orm, { keys, customerId, accountId }: Patched<VersionedTable>) {
  return orm.$with('change').as(
    orm
      .insert(changes)
      .select(
        orm
          .select({
            ...newChange,
            customerId: sql<string>`${customerId}`.as('customerId'),
            accountId: sql<string | null>`${accountId}`.as('accountId'),
            version: sql<number>`after.version`.as('version'),
            before: sql<Record<string, unknown>>`difference.old`.as('before'),
            after: sql<Record<string, unknown>>`difference.new`.as('after'),
          })
          .from(recordset(changes, 'newChange'))
          .crossJoin(sql`before`)
          .crossJoin(sql`after`)
          .crossJoin(difference(keys)),
      )
      .returning({ id: changes.id }),
  );
}

/** What explains a refusal. */
const refused = {
  id: sql<string>`before.id`,
  status: sql<string>`before.status`,
  version: sql<number>`before.version`,
};

type Refused = { id: string; status: string; version: number };

/** The one statement that updates a row: with its key, its version check, its change and its record. */
export function patchStatement<T extends VersionedTable>(patched: Patched<T>) {
  const { table, keys } = patched;
  return statement(patched.name, (orm) => {
    const input = orm.$with('input').as(
      orm
        .select({
          ...insertedFrom(table, 'input'),
          ...keyFields,
          set: sql`input."set"`.as('set'),
          expectedVersion: sql`input."expectedVersion"`.as('expectedVersion'),
        })
        .from(recordset(table, 'input', inputColumns)),
    );
    const { prior, claim, isFresh } = keySteps(orm);
    const allowed = sql`${isFresh} and before.status <> 'ARCHIVED'
      and coalesce(input."expectedVersion", before.version) = before.version and ${patched.allowed}`;
    const { before, after } = patchSteps(orm, table, keys, allowed);
    const change = insertChange(orm, patched);
    const record = recordAnswers(orm, sql`input cross join after`, rowJson('after', storedKeys(table)));
    return orm
      .with(input, prior, claim, before, after, change, record)
      .select({ before: refused, after: fieldsOf(table, after), ...keyOutcome })
      .from(sql`input`)
      .leftJoin(before, sql`true`)
      .leftJoin(after, sql`true`)
      .leftJoin(prior, sql`true`)
      .leftJoin(claim, sql`true`);
  });
}

export interface PatchInput {
  id: string;
  expectedVersion?: number | null | undefined;
  idempotencyKey?: string | null | undefined;
}

interface Patch {
  statement: ReturnType<typeof patchStatement>;
  mutation: string;
  kind: ChangeKind;
}

/** How a patch ended: the row that it wrote, what was answered before, or the row that it was not allowed to change. */
export type PatchOutcome<Row> = { answer: unknown } | { after: Row } | { refused: Refused | null };

async function attemptPatch<Row extends { id: string | null }>(
  ctx: Ctx,
  { statement }: Patch,
  key: KeyValues,
  parameters: Record<string, unknown>,
): Promise<PatchOutcome<Row>> {
  const [outcome] = await ctx.run(statement, parameters);
  if (outcome === undefined) throw new Error('The statement lost its input.');
  const earlier = earlierAnswer(outcome, key);
  if (earlier instanceof AppError) throw earlier;
  if (earlier !== undefined) return { answer: earlier };
  const { before, after } = outcome as unknown as { before: Refused | null; after: Row | null };
  const written = joined(after);
  return written === null ? { refused: joined(before) } : { after: written };
}

/**
 * Runs a patch. `values` are the columns to set; a column that is not there stays. Throws IdempotencyError; a refusal
 * is for the caller to explain, for it knows the rules.
 */
export async function runPatch<Row extends { id: string | null }>(
  ctx: Ctx,
  patch: Patch,
  input: PatchInput,
  values: Partial<Row>,
): Promise<PatchOutcome<Row>> {
  const { id, expectedVersion } = input;
  const key = keyValues(patch.mutation, input, null);
  const owner = { customerId: '', accountId: null, version: 0, before: null, after: null };
  const parameters = {
    ...keyPlaceholders(ctx),
    input: JSON.stringify([{ ...values, ...key, id, set: Object.keys(values), expectedVersion }]),
    newChange: JSON.stringify([changeRow(ctx, { kind: patch.kind, ...owner })]),
  };
  for (let tries = 1; ; tries += 1) {
    try {
      return await attemptPatch<Row>(ctx, patch, key, parameters);
    } catch (error) {
      if (!isViolation(error, [keyConstraint]) || tries === maxTries) throw error;
      const answer = (await answersSoFar(ctx, [key])).get(key.idempotencyKey ?? '');
      if (answer instanceof AppError) throw answer;
      if (answer !== undefined) return { answer };
    }
  }
}
