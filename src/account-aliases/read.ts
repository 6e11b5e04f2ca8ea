import { sql } from 'drizzle-orm';
import { foundAccounts, readAccountsInBatch, relatedFlags, selectRelated } from '../account/read.ts';
import { type AccountRow, accounts } from '../account/table.ts';
import { inForceThen, instantKey, positionColumn, requestedNames } from '../alias/read.ts';
import { aliases } from '../alias/table.ts';
import type { Loader } from '../ctx.ts';
import { oneRow, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { isStorable } from '../lib/rule.ts';

/** A name and the instant at which to resolve it. */
export interface AliasKey {
  value: string;
  on: Date;
}

const accountsByAliases = statement('accounts_by_aliases', (orm) => {
  const named = orm.$with('named').as(
    orm
      .select({ asked: sql<number>`wanted.${positionColumn}`.as('asked'), accountId: aliases.accountId })
      .from(requestedNames())
      .innerJoin(
        aliases,
        sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} = wanted."name" and ${inForceThen}`,
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
      ...selectRelated(),
    })
    .from(oneRow);
});

/** Returns the value in Unicode normal form C, as aliases are stored. */
const nameOf = ({ value }: AliasKey): string => value.normalize('NFC');

const keyOf = (key: AliasKey): string => instantKey(key.on, nameOf(key));

/** Reads the accounts that names mean at an instant, with the related rows that the document selects. */
export const accountByAlias: Loader<AliasKey, AccountRow | null> = {
  name: 'accountByAlias',
  turn: 1,
  keyOf,
  load: (ctx, keys) =>
    readAccountsInBatch(ctx, keys, {
      name: 'aliases',
      flags: relatedFlags(ctx),
      keyOf,
      async read(run, all, values) {
        const [found] = await run(accountsByAliases, {
          ...values,
          // No alias is empty, so an unstorable value finds no account.
          names: all.map((key) => (isStorable(key.value) ? nameOf(key) : '')),
          instants: all.map((key) => key.on.toISOString()),
        });
        const byId = new Map((found?.rows ?? []).map((row) => [row.id, row]));
        const named = new Map((found?.named ?? []).map(([place, id]) => [place, byId.get(id)]));
        return { byKey: new Map(all.map((key, index) => [keyOf(key), named.get(index + 1)])), found };
      },
    }),
};
