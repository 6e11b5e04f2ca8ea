import { type SQL, sql } from 'drizzle-orm';
import type { Ctx } from '../ctx.ts';
import type { Orm } from '../db/client.ts';
import { isViolation } from '../db/constraint.ts';
import { insertedFrom, recordset, tenantId } from '../db/rows.ts';
import { maxTries } from '../idempotency/write.ts';
import { AliasTakenError, IdTakenError } from '../lib/errors.ts';
import { standingClaims } from './read.ts';
import type { AliasSpan } from './rules.ts';
import { type Claim, type SettledClaims, settleClaims } from './settle.ts';
import { type AliasRow, aliases } from './table.ts';

/** Constraints that a claim of a taken value violates. */
export const claimConstraints = ['aliases_no_overlap', 'aliases_pkey'];

export type NewAlias = Omit<AliasRow, 'tenantId'>;

/** The claims of a new account: its own id without an end, then its aliases. Its own id given as an alias has no effect. */
export function newAliases(ctx: Ctx, accountId: string, spans: AliasSpan[]): NewAlias[] {
  const own: AliasSpan = { value: accountId, effectiveFrom: null, effectiveUntil: null };
  const others = spans.filter((span) => span.value !== accountId);
  return [own, ...others].map((span) => ({ ...span, accountId, createdAt: ctx.now }));
}

/** The JSON of claims for a statement with `claimSteps`. */
export function aliasRecords(rows: NewAlias[]): string {
  return JSON.stringify(
    rows.map((row) => ({
      ...row,
      effectiveFrom: row.effectiveFrom ?? '-infinity',
      effectiveUntil: row.effectiveUntil ?? 'infinity',
    })),
  );
}

/**
 * The steps by which a statement claims the values of its recordset `newAlias`. `locked` takes a lock on each value,
 * in one order for all: without it, two writers that claim the same values can each wait for the other.
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
  return { wanted, locked, claimed, isLocked: sql`(select count from locked) >= 0` };
}

/** Reads the spans, of any account, that overlap one of the claims. */
export async function claimsInTheWay(ctx: Ctx, claims: Claim[]): Promise<Claim[]> {
  return ctx.run(standingClaims, {
    values: claims.map((claim) => claim.value),
    froms: claims.map((claim) => claim.effectiveFrom?.toISOString() ?? '-infinity'),
    untils: claims.map((claim) => claim.effectiveUntil?.toISOString() ?? 'infinity'),
  });
}

/** The refusal of a new account that claims values in use: its id, or else its aliases. */
export function explainClashes(
  id: string,
  { clashes, hints }: SettledClaims<NewAlias>,
): IdTakenError | AliasTakenError {
  const takenId = clashes.find((clash) => clash.value === id);
  if (takenId !== undefined) return new IdTakenError('Account', id, takenId.accountId);
  return new AliasTakenError(clashes, hints);
}

/** Runs a write of claims until no constraint refuses it. Before each retry, `settle` throws or prepares the retry. */
export async function retryClaims<T>(write: () => Promise<T>, settle: () => Promise<void>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await write();
    } catch (error) {
      if (!isViolation(error, claimConstraints) || tries === maxTries) throw error;
      await settle();
    }
  }
}

/**
 * Runs a write of claims as they were given. If a constraint refuses them, runs it with the beginnings that the existing
 * spans leave them. Throws AliasTakenError if a value is in use.
 */
export async function writeClaims<T>(
  ctx: Ctx,
  claims: NewAlias[],
  write: (claims: NewAlias[]) => Promise<T>,
): Promise<T> {
  let settled = claims;
  const settle = async () => {
    const found = settleClaims(claims, await claimsInTheWay(ctx, claims), ctx.now);
    if (found.clashes.length > 0) throw new AliasTakenError(found.clashes, found.hints);
    settled = found.claims;
  };
  return retryClaims(() => write(settled), settle);
}
