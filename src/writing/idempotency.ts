import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import type { WithSubquery } from 'drizzle-orm/subquery';
import type { Ctx, Run } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { type Orm, statement } from '../db/statement.ts';
import { IdempotencyError } from './errors.ts';
import { fingerprint, keptForMs, type Repeatable } from './rules.ts';
import { idempotencyRecords } from './table.ts';

/** The columns that the recordset of a write has beside its rows, to recognise a retry. */
export const keyColumns = { idempotencyKey: 'text', fingerprint: 'text', answer: 'jsonb' };

export interface KeyValues {
  idempotencyKey: string | null;
  fingerprint: string | null;
  answer: unknown;
}

export interface Written<T> {
  written: T;
  /** Whether this is the first result of the same idempotency key. */
  replayed: boolean;
}

/** Fails if two equal requests run at the same time. The later one then runs again and finds the first result. */
export const keyConstraint = 'idempotency_records_pkey';

/**
 * Returns the values for `keyColumns`; all null without a key and in a dry run. `answer` is the result that a retry will
 * get.
 */
export function keyValues(mutation: string, input: Repeatable, answer: unknown): KeyValues {
  const { idempotencyKey = null, dryRun, sentAs, ...rest } = input;
  if (idempotencyKey === null || dryRun) return { idempotencyKey: null, fingerprint: null, answer: null };
  return { idempotencyKey, fingerprint: fingerprint(mutation, sentAs ?? rest), answer };
}

/**
 * Returns the number of the lock that the first request with a key holds while it runs. The line feed separates it from
 * the locks of names.
 */
function keyLock(key: SQLWrapper): SQL {
  return sql`hashtextextended(E'idempotency\\n' || ${key}, ${tenantId}::integer)`;
}

/** The parts of a statement that apply the idempotency keys of the CTE `input`. */
interface KeySteps {
  /** The CTEs `prior`, which finds earlier results, and `claim`, which finds keys whose first request is still running. */
  steps: WithSubquery[];
  /** Write only the inputs for which this holds. */
  isFresh: SQL;
  /** Joins the CTEs to `input`. */
  joins: SQL;
  /** The columns for `earlierAnswer`. */
  outcome: { [key in keyof KeyOutcome]: SQL<KeyOutcome[key]> };
}

const withoutKeys: KeySteps = {
  steps: [],
  isFresh: sql`true`,
  joins: sql``,
  outcome: {
    priorFingerprint: sql<null>`null`,
    priorAnswer: sql<null>`null`,
    claimFree: sql<null>`null`,
  },
};

/** Returns the parts of a statement that apply idempotency keys. Without keys, they do nothing. */
export function keySteps(orm: Orm, hasKeys: boolean): KeySteps {
  if (!hasKeys) return withoutKeys;
  const prior = orm.$with('prior').as(
    orm
      .select({
        key: idempotencyRecords.key,
        fingerprint: idempotencyRecords.fingerprint,
        answer: idempotencyRecords.answer,
      })
      .from(idempotencyRecords)
      .where(
        sql`${idempotencyRecords.tenantId} = ${tenantId}
          and ${idempotencyRecords.key} = any(array(select "idempotencyKey" from input))
          and ${idempotencyRecords.createdAt} > ${sql.placeholder('keptSince')}::timestamptz`,
      ),
  );
  const claim = orm.$with('claim').as(
    orm
      .select({
        key: sql<string>`"idempotencyKey"`.as('key'),
        free: sql<boolean>`pg_try_advisory_xact_lock(${keyLock(sql`"idempotencyKey"`)})`.as('free'),
      })
      .from(sql`input`)
      .where(sql`"idempotencyKey" is not null`),
  );
  const isFresh = sql`not exists (select from prior where prior.key = input."idempotencyKey")
    and coalesce((select claim.free from claim where claim.key = input."idempotencyKey"), true)`;
  const joins = sql`left join prior on prior.key = input."idempotencyKey"
    left join claim on claim.key = input."idempotencyKey"`;
  const outcome = {
    priorFingerprint: sql<string | null>`prior.fingerprint`,
    priorAnswer: sql<unknown>`prior.answer`,
    claimFree: sql<boolean | null>`claim.free`,
  };
  return { steps: [prior, claim], isFresh, joins, outcome };
}

/** Selects the columns of `keyColumns` in the CTE `input`. */
export const keyFields = {
  idempotencyKey: sql<string | null>`input."idempotencyKey"`.as('idempotencyKey'),
  fingerprint: sql<string | null>`input."fingerprint"`.as('fingerprint'),
  answer: sql<unknown>`input."answer"`.as('answer'),
};

/** Returns the CTE that stores the result of every written input with a key. */
export function recordAnswers(orm: Orm, written: SQL, answer: SQL = sql`input."answer"`) {
  return orm.$with('record').as(
    orm
      .insert(idempotencyRecords)
      .select(
        orm
          .select({
            tenantId: sql`${tenantId}::integer`.as('tenantId'),
            key: sql`input."idempotencyKey"`.as('key'),
            fingerprint: sql`input."fingerprint"`.as('fingerprint'),
            answer: sql`${answer}`.as('answer'),
            createdAt: sql`${sql.placeholder('now')}::timestamptz`.as('createdAt'),
          })
          .from(written)
          .where(sql`input."idempotencyKey" is not null`),
      )
      .returning({ key: idempotencyRecords.key }),
  );
}

/** Returns the values of the placeholders of `keySteps` and `recordAnswers`. */
export function keyPlaceholders(ctx: Ctx): { now: string; keptSince: string } {
  return { now: ctx.now.toISOString(), keptSince: new Date(ctx.now.getTime() - keptForMs).toISOString() };
}

export interface KeyOutcome {
  priorFingerprint: string | null;
  priorAnswer: unknown;
  claimFree: boolean | null;
}

/**
 * Returns the earlier result of a key, or an IdempotencyError. Returns `undefined` if the input is new and was written.
 */
export function earlierAnswer(outcome: KeyOutcome, { fingerprint }: KeyValues): unknown {
  if (outcome.priorFingerprint !== null) {
    const same = outcome.priorFingerprint === fingerprint;
    return same ? outcome.priorAnswer : new IdempotencyError('IDEMPOTENCY_KEY_REUSED');
  }
  return outcome.claimFree === false ? new IdempotencyError('IDEMPOTENCY_IN_PROGRESS') : undefined;
}

const claimKey = statement('claim_key', (orm) =>
  orm
    .select({ free: sql<boolean>`pg_try_advisory_xact_lock(${keyLock(sql.placeholder('key'))})` })
    .from(sql`(values (1)) as one`),
);

const answersOfKeys = statement('answers_of_keys', (orm) =>
  orm
    .select({
      key: idempotencyRecords.key,
      fingerprint: idempotencyRecords.fingerprint,
      answer: idempotencyRecords.answer,
    })
    .from(idempotencyRecords)
    .where(
      sql`${idempotencyRecords.tenantId} = ${tenantId} and ${idempotencyRecords.key} = any(${sql.placeholder('keys')})
        and ${idempotencyRecords.createdAt} > ${sql.placeholder('keptSince')}::timestamptz`,
    ),
);

const keepAnswer = statement('keep_answer', (orm) =>
  orm
    .insert(idempotencyRecords)
    .values({
      tenantId: tenantId as never,
      key: sql.placeholder('key') as never,
      fingerprint: sql.placeholder('fingerprint') as never,
      answer: sql`${sql.placeholder('answer')}::jsonb`,
      createdAt: sql`${sql.placeholder('now')}::timestamptz`,
    })
    .onConflictDoUpdate({
      target: [idempotencyRecords.tenantId, idempotencyRecords.key],
      set: {
        fingerprint: sql`excluded.fingerprint`,
        answer: sql`excluded.answer`,
        createdAt: sql`excluded.created_at`,
      },
    }),
);

const forgetExpiredKeys = statement('forget_expired_keys', (orm) =>
  orm.delete(idempotencyRecords).where(
    sql`${idempotencyRecords.tenantId} = ${tenantId} and ${idempotencyRecords.key} = any(${sql.placeholder('keys')})
        and ${idempotencyRecords.createdAt} <= ${sql.placeholder('keptSince')}::timestamptz`,
  ),
);

/**
 * Returns the earlier results of keys after a constraint violation, because an equal request may have finished first.
 * Deletes expired records, which would block the reuse of their keys.
 */
export async function findEarlierAnswers(ctx: Ctx, values: KeyValues[]): Promise<Map<string, unknown>> {
  const keys = values.flatMap(({ idempotencyKey }) => idempotencyKey ?? []);
  if (keys.length === 0) return new Map();
  const parameters = { ...keyPlaceholders(ctx), keys };
  await ctx.run(forgetExpiredKeys, parameters);
  const records = new Map((await ctx.run(answersOfKeys, parameters)).map((record) => [record.key, record]));
  const answers = values.flatMap(({ idempotencyKey, fingerprint }): [string, unknown][] => {
    const record = records.get(idempotencyKey ?? '');
    if (record === undefined) return [];
    const same = record.fingerprint === fingerprint;
    return [[record.key, same ? record.answer : new IdempotencyError('IDEMPOTENCY_KEY_REUSED')]];
  });
  return new Map(answers);
}

/**
 * Runs a write of several statements in one transaction. With an idempotency key, it runs once: a retry gets the first
 * result through `revive`. Throws IdempotencyError, and the errors of `work`.
 */
export async function writeOnce<T>(
  ctx: Ctx,
  mutation: string,
  input: Repeatable,
  revive: (answer: unknown) => T,
  work: (run: Run) => Promise<T>,
): Promise<Written<T>> {
  const key = keyValues(mutation, input, null);
  const { idempotencyKey, fingerprint } = key;
  const values = { ...keyPlaceholders(ctx), key: idempotencyKey, fingerprint, keys: [idempotencyKey] };
  return ctx.transaction(async (run) => {
    if (idempotencyKey !== null) {
      const [claim] = await run(claimKey, values);
      const [prior] = await run(answersOfKeys, values);
      const earlier = earlierAnswer(
        {
          priorFingerprint: prior?.fingerprint ?? null,
          priorAnswer: prior?.answer,
          claimFree: claim?.free ?? null,
        },
        key,
      );
      if (earlier instanceof IdempotencyError) throw earlier;
      if (earlier !== undefined) return { written: revive(earlier), replayed: true };
    }
    const written = await work(run);
    if (idempotencyKey !== null) await run(keepAnswer, { ...values, answer: JSON.stringify(written) });
    return { written, replayed: false };
  });
}
