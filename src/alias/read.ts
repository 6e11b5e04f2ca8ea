import { sql } from 'drizzle-orm';
import { type AccountRow, accounts } from '../account/table.ts';
import { type AccountsRead, accountsTogether, along, alongFlags, foundAccounts } from '../account/whole.ts';
import type { LoadCtx } from '../ctx.ts';
import { once, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { groupBy } from '../lib/group.ts';
import { createLoader, type Loader } from '../lib/loader.ts';
import { isStorable } from '../lib/rule.ts';
import { type AliasRow, aliases } from './table.ts';

export type { AliasRow };

/** The aliases of one account at one instant. */
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
  aliases: Loader<AliasesKey, AliasRow[]>;
  accountByAlias: Loader<AliasKey, AccountRow | null>;
}

function keyOf(on: Date, name: string): string {
  return `${on.getTime()}:${name}`;
}

const nameOfAlias = ({ on, value }: AliasKey): string => keyOf(on, value);

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

const accountsByAliases = statement('accounts_by_aliases', (orm) => {
  const named = orm.$with('named').as(
    orm
      .select({ asked: sql<number>`wanted.${asked}`.as('asked'), accountId: aliases.accountId })
      .from(wanted())
      .innerJoin(
        aliases,
        sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} = wanted."name" and ${inForce}`,
      ),
  );
  const found = orm
    .$with('found')
    .as(
      orm
        .select()
        .from(accounts)
        .where(
          sql`${accounts.tenantId} = ${tenantId} and ${accounts.id} = any(array(select account_id from named))`,
        ),
    );
  return orm
    .with(named, found)
    .select({
      named: sql<
        [number, string][] | null
      >`(select json_agg(json_build_array(asked, account_id)) from named)`,
      rows: foundAccounts(),
      ...along(),
    })
    .from(once);
});

/** Reads accounts by their aliases, with what the document selects of them. */
const byAlias: Pick<AccountsRead<AliasKey>, 'name' | 'nameOf' | 'read'> = {
  name: 'aliases',
  nameOf: nameOfAlias,
  async read(run, keys, values) {
    const [found] = await run(accountsByAliases, {
      ...values,
      // No alias is empty: what cannot be stored is nobody's, too.
      names: keys.map((key) => (isStorable(key.value) ? key.value : '')),
      instants: keys.map((key) => key.on.toISOString()),
    });
    const byId = new Map((found?.rows ?? []).map((row) => [row.id, row]));
    const named = new Map((found?.named ?? []).map(([place, id]) => [place, byId.get(id)]));
    return { byName: new Map(keys.map((key, index) => [nameOfAlias(key), named.get(index + 1)])), found };
  },
};

export function aliasLoaders(ctx: LoadCtx): AliasLoaders {
  const { run, schedule } = ctx;
  const loadAliases = async (keys: readonly AliasesKey[]) => {
    const values = {
      names: keys.map((key) => key.accountId),
      instants: keys.map((key) => key.on.toISOString()),
    };
    const found = groupBy(await run(aliasesInForce, values), (row) => row.asked);
    return keys.map((_, index) => (found.get(index + 1) ?? []).map((row) => row.alias));
  };
  return {
    aliases: createLoader({
      load: loadAliases,
      schedule: schedule('aliases'),
      nameOf: (key) => keyOf(key.on, key.accountId),
    }),
    accountByAlias: createLoader({
      load: (keys) => accountsTogether(ctx, keys, { ...byAlias, flags: alongFlags(ctx) }),
      schedule: schedule('accountByAlias'),
      nameOf: nameOfAlias,
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
