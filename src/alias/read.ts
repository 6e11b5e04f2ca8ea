import DataLoader from 'dataloader';
import { getTableColumns, sql } from 'drizzle-orm';
import { type AccountRow, accounts } from '../account/table.ts';
import type { LoadCtx } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { groupBy } from '../lib/group.ts';
import { isStorable } from '../lib/rule.ts';
import { type AliasRow, aliases } from './table.ts';

/** The aliases of one account at one instant. */
export type { AliasRow };

export interface AliasesKey {
  accountId: string;
  on: Date;
}

/** Whom a value names at one instant. */
export interface AliasKey {
  value: string;
  on: Date;
}

export interface AliasLoaders {
  aliases: DataLoader<AliasesKey, AliasRow[], string>;
  accountByAlias: DataLoader<AliasKey, AccountRow | null, string>;
}

function keyOf(on: Date, name: string): string {
  return `${on.getTime()}:${name}`;
}

const inForce = sql`${aliases.effectiveFrom} <= wanted."on" and ${aliases.effectiveUntil} > wanted."on"`;
const asked = sql.identifier('asked');

/** Each pair of a name and an instant that a batch asks for, with its place in the batch. */
function wanted() {
  return sql`unnest(${sql.placeholder('names')}::text[], ${sql.placeholder('instants')}::text[]::timestamptz[])
    with ordinality as wanted("name", "on", ${asked})`;
}

const aliasesInForce = statement('aliases_in_force', (orm) =>
  orm
    .select({ asked: sql<number>`wanted.${asked}::integer`, alias: aliases })
    .from(wanted())
    .innerJoin(
      aliases,
      sql`${aliases.tenantId} = ${tenantId} and ${aliases.accountId} = wanted."name"
        and ${aliases.value} <> ${aliases.accountId} and ${inForce}`,
    )
    .orderBy(aliases.createdAt, aliases.value, aliases.effectiveFrom),
);

const accountsByAliases = statement('accounts_by_aliases', (orm) =>
  orm
    .select({ asked: sql<number>`wanted.${asked}::integer`, account: getTableColumns(accounts) })
    .from(wanted())
    .innerJoin(
      aliases,
      sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} = wanted."name" and ${inForce}`,
    )
    .innerJoin(accounts, sql`${accounts.tenantId} = ${tenantId} and ${accounts.id} = ${aliases.accountId}`),
);

export function aliasLoaders({ run, schedule }: LoadCtx): AliasLoaders {
  const loadAliases = async (keys: readonly AliasesKey[]) => {
    const values = {
      names: keys.map((key) => key.accountId),
      instants: keys.map((key) => key.on.toISOString()),
    };
    const found = groupBy(await run(aliasesInForce, values), (row) => row.asked);
    return keys.map((_, index) => (found.get(index + 1) ?? []).map((row) => row.alias));
  };
  const loadAccounts = async (keys: readonly AliasKey[]) => {
    const values = {
      // No alias is empty: what cannot be stored is nobody's, too.
      names: keys.map((key) => (isStorable(key.value) ? key.value : '')),
      instants: keys.map((key) => key.on.toISOString()),
    };
    const found = new Map((await run(accountsByAliases, values)).map((row) => [row.asked, row.account]));
    return keys.map((_, index) => found.get(index + 1) ?? null);
  };
  return {
    aliases: new DataLoader(loadAliases, {
      batchScheduleFn: schedule('aliases'),
      cacheKeyFn: (key) => keyOf(key.on, key.accountId),
    }),
    accountByAlias: new DataLoader(loadAccounts, {
      batchScheduleFn: schedule('accountByAlias'),
      cacheKeyFn: (key) => keyOf(key.on, key.value),
    }),
  };
}

/** The claims that stand in the way of others, in whatever account. */
export const standingClaims = statement('standing_claims', (orm) =>
  orm
    .selectDistinct({
      value: aliases.value,
      accountId: aliases.accountId,
      effectiveFrom: aliases.effectiveFrom,
      effectiveUntil: aliases.effectiveUntil,
    })
    .from(
      sql`unnest(${sql.placeholder('values')}::text[], ${sql.placeholder('froms')}::text[]::timestamptz[],
        ${sql.placeholder('untils')}::text[]::timestamptz[]) as claim("value", "from", "until")`,
    )
    .innerJoin(
      aliases,
      sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} = claim."value"
        and ${aliases.effectiveFrom} < claim."until" and ${aliases.effectiveUntil} > claim."from"`,
    )
    .orderBy(aliases.value, aliases.effectiveFrom),
);
