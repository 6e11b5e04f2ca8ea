import { sql } from 'drizzle-orm';
import type { Ctx } from '../ctx.ts';
import { insertedFrom, oneRow, recordset } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { encodeState, type State, sizeOf } from './replay.ts';
import type { EntityType } from './rules.ts';
import { historySnapshots } from './table.ts';

/** Snapshots are taken of versions that are multiples of this. */
export const stride = 50;
/** A read that replays more changes than this stores snapshots. */
export const tolerated = 4 * stride;
/** The most snapshots that one read stores. A later read stores the others. */
const maxStored = 500;

/**
 * Returns whether a state is worth a snapshot. Large states have fewer of them, so that all snapshots together grow no
 * faster than the history.
 * @param since the version of the snapshot before, or 0
 */
export function isDue(state: State, since: number): boolean {
  return state.version % stride === 0 && state.version - since >= sizeOf(state) / 4;
}

/** The replay of one entity for a read. */
export interface Replayed {
  entityId: string;
  /** The number of changes. */
  count: number;
  /** The states that are due for a snapshot. They are final: an entity gets its versions in order, under its lock. */
  due: readonly State[];
}

const isReadOnly = statement('is_read_only', (orm) =>
  orm.select({ yes: sql<boolean>`current_setting('transaction_read_only')::boolean` }).from(oneRow),
);

const keepStatement = statement('keep_snapshots', (orm) =>
  orm
    .insert(historySnapshots)
    .select(orm.select(insertedFrom(historySnapshots, 'kept')).from(recordset(historySnapshots, 'kept')))
    .onConflictDoNothing()
    .returning({ version: historySnapshots.version }),
);

/** Stores the snapshots of long replays in the background. A standby stores none. */
export function keepSnapshots(ctx: Ctx, entityType: EntityType, replayed: readonly Replayed[]): void {
  const long = replayed.filter(({ count }) => count > tolerated);
  const states = new Map(
    long.flatMap(({ entityId, due }) =>
      due.map((state) => [`${state.version} ${entityId}`, { entityId, state }] as const),
    ),
  );
  if (states.size === 0) return;
  ctx.inBackground(async (run) => {
    const [session] = await run(isReadOnly);
    if (session?.yes !== false) return;
    const kept = [...states.values()].slice(0, maxStored).map(({ entityId, state }) => {
      const { version, beginsAt } = state;
      return { entityType, entityId, version, beginsAt, state: encodeState(state) };
    });
    await run(keepStatement, { kept: JSON.stringify(kept) });
  });
}
