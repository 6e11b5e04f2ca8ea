import { sql } from 'drizzle-orm';
import { nameOfShape, readAccountsInBatch, type Shape, selectAccounts, shapeOf } from '../account/read.ts';
import { type AccountRow, accounts } from '../account/table.ts';
import { inForceThen, instantKey, positionColumn, requestedNames } from '../alias/read.ts';
import { aliases } from '../alias/table.ts';
import type { Loader } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statementFamily } from '../db/statement.ts';
import { isStorable } from '../lib/rule.ts';

/** A name and the instant at which to resolve it. */
export interface AliasKey {
  value: string;
  on: Date;
}

const readByAliases = statementFamily();

function accountsByAliases(shape: Shape) {
  return readByAliases(nameOfShape('accounts_by_aliases', shape), (orm) =>
    orm
      .select({ found: selectAccounts(shape, sql`wanted.${positionColumn}`) })
      .from(requestedNames())
      .innerJoin(
        aliases,
        sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} = wanted."name" and ${inForceThen}`,
      )
      .innerJoin(accounts, sql`${accounts.tenantId} = ${tenantId} and ${accounts.id} = ${aliases.accountId}`),
  );
}

/** Returns the value in Unicode normal form C, as aliases are stored. */
const nameOf = ({ value }: AliasKey): string => value.normalize('NFC');

const keyOf = (key: AliasKey): string => instantKey(key.on, nameOf(key));

/** Reads the accounts that names mean at an instant, with the related rows that the document selects. */
export const accountByAlias: Loader<AliasKey, AccountRow | null> = {
  name: 'accountByAlias',
  turn: 1,
  keyOf,
  load(ctx, keys) {
    const shape = shapeOf(ctx);
    return readAccountsInBatch(ctx, keys, {
      name: 'aliases',
      shape,
      keyOf,
      async read(run, all, values) {
        const [row] = await run(accountsByAliases(shape), {
          ...values,
          // No alias is empty, so an unstorable value finds no account.
          names: all.map((key) => (isStorable(key.value) ? nameOf(key) : '')),
          instants: all.map((key) => key.on.toISOString()),
        });
        const byPlace = new Map((row?.found ?? []).map((found) => [found.place, found]));
        return new Map(all.map((key, index) => [keyOf(key), byPlace.get(index + 1)]));
      },
    });
  },
};
