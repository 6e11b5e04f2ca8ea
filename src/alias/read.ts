import { sql } from 'drizzle-orm';
import type { Ctx, Loader, Run } from '../ctx.ts';
import { given, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { groupBy } from '../lib/group.ts';
import { countOnce, encodeCursor, isInstant, type ListPage, type PageArgs, parsePage } from '../lib/page.ts';
import { isStorable } from '../lib/rule.ts';
import { keysetList, runPage } from '../listing/keyset.ts';
import { type AliasRow, aliases, registeredAliases, removedAliases } from './table.ts';

/** The aliases of one account at one instant. */
export interface AliasesKey {
  accountId: string;
  on: Date;
}

export function instantKey(on: Date, name: string): string {
  return `${on.getTime()}:${name}`;
}

/** Matches aliases in force at the instant of the row of `wanted`. */
export const inForceThen = sql`${aliases.effectiveFrom} <= wanted."on" and ${aliases.effectiveUntil} > wanted."on"`;
export const positionColumn = sql.identifier('asked');

/** The requested pairs of name and instant, each with its position in the batch. */
export function requestedNames() {
  return sql`unnest(${sql.placeholder('names')}::text[], ${sql.placeholder('instants')}::text[]::timestamptz[])
    with ordinality as wanted("name", "on", ${positionColumn})`;
}

const aliasesInForce = statement('aliases_in_force', (orm) =>
  orm
    .select({ asked: sql<number>`wanted.${positionColumn}::integer`, alias: aliases })
    .from(requestedNames())
    .innerJoin(
      aliases,
      sql`${aliases.tenantId} = ${tenantId} and ${aliases.accountId} = wanted."name"
        and ${aliases.value} <> ${aliases.accountId} and ${inForceThen}`,
    )
    .orderBy(aliases.createdAt, aliases.ordinal, aliases.value, aliases.effectiveFrom),
);

/** Reads the aliases of accounts that are in force at an instant. */
export const aliasesOfAccount: Loader<AliasesKey, AliasRow[]> = {
  name: 'aliases',
  turn: 4,
  keyOf: ({ accountId, on }) => instantKey(on, accountId),
  async load({ run }, keys) {
    const names = keys.map((key) => key.accountId);
    const found = groupBy(
      await run(aliasesInForce, { names, instants: keys.map((key) => key.on.toISOString()) }),
      (row) => row.asked,
    );
    return keys.map((_, index) => (found.get(index + 1) ?? []).map((row) => row.alias));
  },
};

/** Finds the spans of any account that overlap the given claims. */
export const conflictingClaims = statement('standing_claims', (orm) =>
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

/** Returns whether a cursor's text can be a value, also one that today's rule refuses. */
const isValue = (text: string) => text !== '' && text.length <= 2 * 255 && isStorable(text);

const now = given('now', 'timestamptz');

/** An alias in force, or a registered value that no account has. */
export type ListedAlias = Pick<AliasRow, 'value' | 'createdAt'>;

const listedFields = {
  value: sql<string>`"value"`,
  createdAt: sql<Date>`created_at`.mapWith(aliases.createdAt),
};

const aliasesByValue = statement('aliases_by_value', (orm) => {
  const page = sql`"value" > ${given('after', 'text')} order by "value" limit ${sql.placeholder('limit')}`;
  const held = sql`select "value", created_at from ${aliases} where ${aliases.tenantId} = ${tenantId}
    and ${aliases.value} <> ${aliases.accountId} and ${aliases.effectiveFrom} <= ${now}
    and ${aliases.effectiveUntil} > ${now} and ${page}`;
  // An account can get a value while it is being registered. Both rows then exist.
  const registered = sql`select "value", created_at from ${registeredAliases}
    where ${registeredAliases.tenantId} = ${tenantId} and not exists (select from ${aliases}
      where ${aliases.tenantId} = ${tenantId} and ${aliases.value} = ${registeredAliases.value}
        and ${aliases.effectiveFrom} <= ${now} and ${aliases.effectiveUntil} > ${now}) and ${page}`;
  return orm
    .select(listedFields)
    .from(sql`((${held}) union all (${registered})) as listed`)
    .orderBy(sql`"value"`)
    .limit(sql.placeholder('limit'));
});

/** Returns a page of the aliases in force now and the registered ones, ordered by value. Throws InvalidInputError. */
export async function aliasPage(
  ctx: Ctx,
  { first, after }: { first: number; after: string | undefined },
): Promise<Pick<ListPage<ListedAlias>, 'rows' | 'hasMore' | 'cursorOf'>> {
  const orderName = 'aliases in force';
  const { from } = parsePage({ first, after }, orderName, ([value, tie]) => isValue(value) && tie === '');
  const values = { now: ctx.now.toISOString(), after: from?.[0] ?? '', limit: first + 1 };
  const found = await ctx.run(aliasesByValue, values);
  return {
    rows: found.slice(0, first),
    hasMore: found.length > first,
    cursorOf: (row) => encodeCursor(orderName, [row.value, '']),
  };
}

const registeredAlias = statement('registered_alias', (orm) =>
  orm
    .select({ value: registeredAliases.value, createdAt: registeredAliases.createdAt })
    .from(registeredAliases)
    .where(
      sql`${registeredAliases.tenantId} = ${tenantId} and ${registeredAliases.value} = ${sql.placeholder('value')}`,
    ),
);

/** Returns a registered value, or undefined. */
export async function findRegistered(run: Run, value: string): Promise<ListedAlias | undefined> {
  return (await run(registeredAlias, { value: value.normalize('NFC') }))[0];
}

const noBeginning = '-infinity';

/** The spans of an account, without the span of its own id. */
const spansOfAccount = keysetList('alias_timeline', {
  table: aliases,
  order: { by: aliases.effectiveFrom, type: 'timestamptz', direction: 'ASC', tie: aliases.value },
  where: sql`${aliases.tenantId} = ${tenantId} and ${aliases.accountId} = ${sql.placeholder('accountId')}
    and ${aliases.value} <> ${aliases.accountId}`,
});

/** Returns a page of all spans of an account's aliases, ordered by start. Throws InvalidInputError. */
export async function aliasTimeline(
  ctx: Ctx,
  accountId: string,
  args: PageArgs,
): Promise<ListPage<AliasRow>> {
  const orderName = 'aliases';
  const { order, select, count } = spansOfAccount;
  const page = parsePage(
    args,
    orderName,
    ([from, value]) => (from === noBeginning || isInstant(from)) && isValue(value),
  );
  return {
    ...(await runPage(ctx.run, page, { order, select, values: { accountId } })),
    cursorOf: (row) => encodeCursor(orderName, [row.effectiveFrom?.toISOString() ?? noBeginning, row.value]),
    count: countOnce(async () => (await ctx.run(count, { accountId }))[0]?.count ?? 0),
  };
}

const spanOfName = statement('span_of_name', (orm) =>
  orm
    .select({ accountId: aliases.accountId })
    .from(aliases)
    .where(sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} = ${sql.placeholder('name')}`)
    .limit(1),
);

const removedAlias = statement('removed_alias', (orm) =>
  orm
    .select({ value: removedAliases.value })
    .from(removedAliases)
    .where(
      sql`${removedAliases.tenantId} = ${tenantId} and ${removedAliases.value} = ${sql.placeholder('name')}`,
    ),
);

/** Returns whether a name is or was the id or an alias of an account, including archived accounts. */
export async function nameExisted({ run }: Ctx, name: string): Promise<boolean> {
  return (await run(spanOfName, { name: name.normalize('NFC') })).length > 0;
}

/** Returns whether a name is or was registered, or is or was the id or an alias of an account. */
export async function aliasExisted(ctx: Ctx, name: string): Promise<boolean> {
  if (await nameExisted(ctx, name)) return true;
  if ((await findRegistered(ctx.run, name)) !== undefined) return true;
  return (await ctx.run(removedAlias, { name: name.normalize('NFC') })).length > 0;
}
