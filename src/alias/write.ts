import { type SQL, sql } from 'drizzle-orm';
import type { Ctx, Run } from '../ctx.ts';
import { insertedFrom, recordset, tenantId } from '../db/rows.ts';
import { type Orm, statement } from '../db/statement.ts';
import { InvalidInputError } from '../lib/errors.ts';
import { IdTakenError, LimitExceededError } from '../writing/errors.ts';
import { retryOnViolation } from '../writing/retry.ts';
import { conflictingClaims } from './read.ts';
import {
  type AliasSpan,
  AliasTakenError,
  type Claim,
  maxAliasesInForce,
  type SettledClaims,
  settleClaims,
} from './rules.ts';
import { type AliasRow, aliases, registeredAliases, removedAliases } from './table.ts';

/** The constraints that fail if a claimed value is in use. */
export const claimConstraints = ['aliases_no_overlap', 'aliases_pkey'];

export type NewAlias = Omit<AliasRow, 'tenantId'>;

/**
 * Returns the claims of a new account: its own id without an end, then its aliases. The id among the aliases has no
 * effect.
 */
export function newAliases(ctx: Ctx, accountId: string, spans: AliasSpan[]): NewAlias[] {
  const own: AliasSpan = { value: accountId, effectiveFrom: null, effectiveUntil: null };
  const others = spans.filter((span) => span.value !== accountId);
  return [own, ...others].map((span, ordinal) => ({ ...span, accountId, createdAt: ctx.now, ordinal }));
}

/** Returns claims as the JSON parameter of `claimSteps`. */
export function aliasRecords(rows: NewAlias[]): string {
  return JSON.stringify(
    rows.map((row) => ({
      ...row,
      effectiveFrom: row.effectiveFrom ?? '-infinity',
      effectiveUntil: row.effectiveUntil ?? 'infinity',
    })),
  );
}

/** Returns the statement that deletes the registrations of values that an account now has. */
function forgetRegistered(orm: Orm, values: SQL) {
  return orm
    .delete(registeredAliases)
    .where(sql`${registeredAliases.tenantId} = ${tenantId} and ${registeredAliases.value} in (${values})`)
    .returning({ value: registeredAliases.value });
}

/** Returns a statement that removes rows whose values no span then shows, and remembers the values with a plus. */
function removeValues(
  orm: Orm,
  removal: ReturnType<typeof forgetRegistered> | ReturnType<typeof deleteAliases>,
) {
  const removed = orm.$with('removed').as(removal as ReturnType<typeof forgetRegistered>);
  const remembered = orm.$with('remembered').as(
    orm
      .insert(removedAliases)
      .select(
        orm
          .select({
            tenantId: sql<number>`${tenantId}::integer`.as('tenantId'),
            value: sql<string>`"value"`.as('value'),
          })
          .from(removed)
          .where(sql`strpos("value", '+') > 0`),
      )
      .onConflictDoNothing()
      .returning({ value: removedAliases.value }),
  );
  return orm.with(removed, remembered).select({ value: sql<string>`"value"` }).from(removed);
}

/**
 * Returns the CTEs that claim the values of the recordset `newAlias`. `locked` locks the values in one order for all
 * writers; without it, two of them can deadlock.
 */
export function claimSteps(orm: Orm, accountIds: SQL) {
  const wanted = orm
    .$with('new_alias')
    .as(orm.select(insertedFrom(aliases, 'newAlias')).from(recordset(aliases, 'newAlias')));
  const locked = orm
    .$with('locked')
    .as(
      orm
        .select({ count: sql<number>`count(pg_advisory_xact_lock(name_hash))`.as('count') })
        .from(
          sql`(select distinct hashtextextended("value", ${tenantId}::integer) as name_hash from new_alias order by 1) as name`,
        ),
    );
  const claimed = orm.$with('claimed').as(
    orm
      .insert(aliases)
      .select(
        orm
          .select(insertedFrom(aliases, 'new_alias'))
          .from(sql`new_alias`)
          .where(sql`new_alias."accountId" in (${accountIds})`),
      )
      .returning({ value: aliases.value }),
  );
  const forgotten = orm
    .$with('forgotten')
    .as(
      forgetRegistered(
        orm,
        sql`select "value" from new_alias where new_alias."accountId" in (${accountIds})`,
      ),
    );
  return { wanted, locked, claimed, forgotten, isLocked: sql`(select count from locked) >= 0` };
}

/** Reads the spans of any account that overlap the claims. */
export async function findConflictingClaims({ run }: Pick<Ctx, 'run'>, claims: Claim[]): Promise<Claim[]> {
  return run(conflictingClaims, {
    values: claims.map((claim) => claim.value),
    froms: claims.map((claim) => claim.effectiveFrom?.toISOString() ?? '-infinity'),
    untils: claims.map((claim) => claim.effectiveUntil?.toISOString() ?? 'infinity'),
  });
}

/** Returns the error for a new account whose id or aliases are in use. */
export function toClashError(
  id: string,
  { clashes, hints }: SettledClaims<NewAlias>,
  isArchived: boolean,
): IdTakenError | AliasTakenError {
  const takenId = clashes.find((clash) => clash.value === id);
  if (takenId !== undefined) return new IdTakenError('Account', id, takenId.accountId, isArchived);
  return new AliasTakenError(clashes, hints);
}

/**
 * Writes claims as given. If a constraint fails, writes them again with the starts that existing spans allow. Throws
 * AliasTakenError if a value is in use.
 */
export async function writeClaims<T>(
  ctx: Ctx,
  accountId: string,
  claims: NewAlias[],
  write: (claims: NewAlias[]) => Promise<T>,
): Promise<T> {
  let settled = claims;
  return retryOnViolation(
    claimConstraints,
    () => write(settled),
    async () => {
      const found = settleClaims(claims, await findConflictingClaims(ctx, claims), ctx.now);
      if (found.clashes.length > 0) {
        const peak = await peakOf(ctx, ctx.run, accountId, countedSpans(found.hints, ctx.now));
        const hasRoom = peak + claims.length <= maxAliasesInForce;
        throw new AliasTakenError(found.clashes, hasRoom ? found.hints : []);
      }
      settled = found.claims;
      return undefined;
    },
  );
}

const ofAccount = sql`${aliases.tenantId} = ${tenantId} and ${aliases.accountId} = ${sql.placeholder('accountId')}
  and ${aliases.value} <> ${aliases.accountId}`;
const named = sql`(${sql.placeholder('values')}::text[] is null or ${aliases.value} = any(${sql.placeholder('values')}::text[]))`;
const until = sql`${sql.placeholder('until')}::timestamptz`;

const lockNamesStatement = statement('lock_names', (orm) =>
  orm.select({ count: sql<number>`count(pg_advisory_xact_lock(name_hash))` }).from(
    sql`(select distinct hashtextextended(value, ${tenantId}::integer) as name_hash
        from unnest(${sql.placeholder('values')}::text[]) as value order by 1) as name`,
  ),
);

/** Locks values until the transaction ends, in one order for all writers, so that they cannot deadlock. */
export async function lockNames(run: Run, values: string[]): Promise<void> {
  await run(lockNamesStatement, { values });
}

const insertStatement = statement('insert_aliases', (orm) =>
  orm
    .insert(aliases)
    .select(orm.select(insertedFrom(aliases, 'newAlias')).from(recordset(aliases, 'newAlias')))
    .returning({ value: aliases.value }),
);

/** Matches removed spans without a start. They cover the past only by default, so the limit excludes them. */
const isRemovedUndated = sql`(${aliases.effectiveFrom} = '-infinity' and ${aliases.effectiveUntil} >= ${aliases.createdAt}
  and ${aliases.effectiveUntil} <= ${sql.placeholder('now')}::timestamptz)`;

/** Returns the highest number of aliases of an account that are in force at an instant of the given spans. */
const peakStatement = statement('peak_of_aliases', (orm) => {
  const counted = sql`${ofAccount} and not ${isRemovedUndated}`;
  const spans = sql`unnest(${sql.placeholder('froms')}::text[]::timestamptz[], ${sql.placeholder('untils')}::text[]::timestamptz[])`;
  return orm.select({ peak: sql<number>`coalesce(max(level), 0)::integer` }).from(
    sql`(select at, sum(step) over (order by at, step) as level from (
        select ${aliases.effectiveFrom} as at, 1 as step from ${aliases} where ${counted}
        union all
        select ${aliases.effectiveUntil}, -1 from ${aliases} where ${counted}
        union all
        select "from", 0 from ${spans} as beginning("from", "until")) as edge) as edges
      join ${spans} as span("from", "until") on at >= span."from" and at < span."until"`,
  );
});

const values = sql`select unnest(${sql.placeholder('values')}::text[])`;

const forgetStatement = statement('forget_registered_aliases', (orm) => forgetRegistered(orm, values));

const unregisterStatement = statement('unregister_aliases', (orm) =>
  removeValues(orm, forgetRegistered(orm, values)),
);

function deleteAliases(orm: Orm, where: SQL) {
  return orm.delete(aliases).where(where).returning({ value: aliases.value });
}

/** Inserts spans. Throws the constraint violation if one overlaps an existing span. */
export async function insertAliases(run: Run, rows: NewAlias[]): Promise<void> {
  if (rows.length === 0) return;
  await run(insertStatement, { newAlias: aliasRecords(rows) });
  await run(forgetStatement, { values: rows.map((row) => row.value) });
}

/** Returns the spans to check against the limit. A claim without a start counts from now, unless it has ended. */
export function countedSpans<T extends AliasSpan>(claims: T[], now: Date): T[] {
  const goesOn = ({ effectiveUntil }: T) => effectiveUntil === null || effectiveUntil > now;
  return claims.map((claim) =>
    claim.effectiveFrom === null && goesOn(claim) ? { ...claim, effectiveFrom: now } : claim,
  );
}

/** Returns the highest number of aliases of an account that are in force at an instant of the given spans. */
async function peakOf(ctx: Ctx, run: Run, accountId: string, spans: AliasSpan[]): Promise<number> {
  const [found] = await run(peakStatement, {
    accountId,
    now: ctx.now.toISOString(),
    froms: spans.map(({ effectiveFrom }) => effectiveFrom?.toISOString() ?? '-infinity'),
    untils: spans.map(({ effectiveUntil }) => effectiveUntil?.toISOString() ?? 'infinity'),
  });
  return found?.peak ?? 0;
}

/** Throws LimitExceededError if an account has too many aliases in force at an instant of the given spans. */
export async function assertRoom(ctx: Ctx, run: Run, accountId: string, spans: AliasSpan[]): Promise<void> {
  if (spans.length === 0) return;
  if ((await peakOf(ctx, run, accountId, spans)) > maxAliasesInForce) {
    throw new LimitExceededError('aliases in force at one instant', maxAliasesInForce);
  }
}

const spansAfterStatement = statement('aliases_until', (orm) =>
  orm
    .select()
    .from(aliases)
    .where(sql`${ofAccount} and ${named} and ${aliases.effectiveUntil} > ${until}`)
    .orderBy(aliases.value, aliases.effectiveFrom),
);

const endStatement = statement('end_aliases', (orm) =>
  orm
    .update(aliases)
    .set({ effectiveUntil: sql`${until}` })
    .where(
      sql`${ofAccount} and ${named} and ${aliases.effectiveUntil} > ${until} and ${aliases.effectiveFrom} < ${until}`,
    )
    .returning({ value: aliases.value }),
);

const dropStatement = statement('drop_aliases', (orm) =>
  removeValues(
    orm,
    deleteAliases(orm, sql`${ofAccount} and ${named} and ${aliases.effectiveFrom} >= ${until}`),
  ),
);

/** Returns the spans of an account that end after an instant. `values` null: of all values. */
export function spansAfter(
  run: Run,
  accountId: string,
  instant: Date,
  values: string[] | null,
): Promise<AliasRow[]> {
  return run(spansAfterStatement, { accountId, values, until: instant.toISOString() });
}

/** Ends spans at an instant, and removes those that start later. `values` null: of all values. */
export async function endSpans(
  run: Run,
  accountId: string,
  instant: Date,
  values: string[] | null,
): Promise<void> {
  const parameters = { accountId, values, until: instant.toISOString() };
  await run(endStatement, parameters);
  await run(dropStatement, parameters);
}

const spanAtStatement = statement('alias_at', (orm) =>
  orm
    .select()
    .from(aliases)
    .where(
      sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} = ${sql.placeholder('value')}
        and ${aliases.effectiveFrom} <= ${until} and ${aliases.effectiveUntil} > ${until}`,
    ),
);

/** Returns the span of a value at an instant. */
export async function spanAt(run: Run, value: string, instant: Date): Promise<AliasRow | undefined> {
  const [span] = await run(spanAtStatement, { value, until: instant.toISOString() });
  return span;
}

const thisSpan = sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} = ${sql.placeholder('value')}
  and ${aliases.effectiveFrom} = ${sql.placeholder('from')}::timestamptz`;

const endSpanStatement = statement('end_alias', (orm) =>
  orm
    .update(aliases)
    .set({ effectiveUntil: sql`${until}` })
    .where(thisSpan),
);

const dropSpanStatement = statement('drop_alias', (orm) => removeValues(orm, deleteAliases(orm, thisSpan)));

/** Ends one span at an instant, or removes it if it starts later. */
export async function endSpan(run: Run, { value, effectiveFrom }: AliasRow, instant: Date): Promise<void> {
  const begins = effectiveFrom !== null && effectiveFrom >= instant;
  const from = effectiveFrom?.toISOString() ?? '-infinity';
  await run(begins ? dropSpanStatement : endSpanStatement, { value, from, until: instant.toISOString() });
}

/** Returns spans as the history stores them. */
export function aliasHistory(spans: AliasSpan[]): { aliases: AliasSpan[] } {
  return {
    aliases: spans.map(({ value, effectiveFrom, effectiveUntil }) => ({
      value,
      effectiveFrom,
      effectiveUntil,
    })),
  };
}

/** Returns spans as they are after they end at an instant, without those that start later. */
export function endedAt(spans: AliasSpan[], instant: Date): AliasSpan[] {
  return spans
    .filter(({ effectiveFrom }) => effectiveFrom === null || effectiveFrom < instant)
    .map((span) => ({ ...span, effectiveUntil: instant }));
}

const namesInUse = statement('names_in_use', (orm) =>
  orm
    .select({ value: aliases.value, accountId: aliases.accountId })
    .from(aliases)
    .where(
      sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} = any(${sql.placeholder('values')}::text[])
        and ${aliases.effectiveUntil} > ${sql.placeholder('now')}::timestamptz`,
    )
    .orderBy(aliases.value),
);

const registerStatement = statement('register_aliases', (orm) =>
  orm
    .insert(registeredAliases)
    .select(
      orm
        .select({
          tenantId: sql<number>`${tenantId}::integer`.as('tenantId'),
          value: sql<string>`name`.as('value'),
          createdAt: sql<Date>`${sql.placeholder('now')}::timestamptz`.as('createdAt'),
        })
        .from(sql`unnest(${sql.placeholder('values')}::text[]) as name`),
    )
    .onConflictDoNothing()
    .returning({ value: registeredAliases.value }),
);

/**
 * Registers values that name no account. Throws AliasTakenError if an account has one of them now or later, and
 * InvalidInputError if one is registered.
 */
export async function registerValues(ctx: Ctx, run: Run, values: string[]): Promise<void> {
  await lockNames(run, values);
  const parameters = { values, now: ctx.now.toISOString() };
  const taken = await run(namesInUse, parameters);
  if (taken.length > 0) throw new AliasTakenError(taken);
  const registered = new Set((await run(registerStatement, parameters)).map(({ value }) => value));
  const known = values.findIndex((value) => !registered.has(value));
  if (known === -1) return;
  const path = ['aliases', String(known), 'value'];
  throw new InvalidInputError([{ path, code: 'DUPLICATE', message: 'is already registered' }]);
}

/** Deletes the registration of a value. Returns whether there was one. */
export async function forgetRegisteredValue(run: Run, value: string): Promise<boolean> {
  return (await run(unregisterStatement, { values: [value] })).length > 0;
}
