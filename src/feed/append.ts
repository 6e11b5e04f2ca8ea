import { type SQL, sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Database } from '../db/client.ts';
import { oneRow } from '../db/rows.ts';
import { type Orm, statement } from '../db/statement.ts';
import { changes } from '../history/table.ts';
import { feed, feedState } from './table.ts';

/** The most changes that are appended under the timeouts of requests. */
const maxTimedChanges = 10_000;

/** How long changes wait to be appended while nobody reads the feed. */
const unreadDelayMs = 1000;

const acrossTenants = 'The changes of all tenants are appended at once. Each keeps its tenant.';

const systemIdentifier = sql`(select system_identifier::text from pg_control_system())`;
const isSameSystem = sql<boolean>`${feedState.seen} is not null and ${feedState.systemIdentifier} = ${systemIdentifier}`;

/**
 * The changes that are visible now but not in the snapshot `state.seen`, found by their transaction ids: those that
 * are higher, and those that were running then. A transaction that stays open delays no other one.
 */
const unseen = sql`(
  select later.* from state, ${changes} as later
    where later.transaction_id >= pg_snapshot_xmax(state.seen)
      and later.transaction_id < pg_snapshot_xmax(pg_current_snapshot())
  union all
  select late.* from state, pg_snapshot_xip(state.seen) as running (transaction_id), ${changes} as late
    where late.transaction_id = running.transaction_id)`;

const every = sql`(select every.* from state, ${changes} as every)`;

/** Appends the changes of a source that are not in the feed yet, and stores the current snapshot. */
function appendFrom(orm: Orm, source: SQL, when: SQL) {
  const part = (name: string, text: SQL) => orm.$with(name, { one: sql`1` }).as(text);
  // Waits for a concurrent append. If that one has stored a newer snapshot, there is no row: this statement's own
  // snapshot lacks what was appended, so it must run again.
  const state = part(
    'state',
    sql`select seen from ${feedState} where ${when}
      and seen::text is not distinct from (select current.seen::text from ${feedState} as current) for update`,
  );
  // Not as a join, for which the planner could read the whole feed.
  const fresh = part(
    'fresh',
    sql`select unseen.* from ${source} as unseen where (select known.position from ${feed} as known
      where known.tenant_id = unseen.tenant_id and known.change_id = unseen.id) is null`,
  );
  // By time, but no version precedes a lower one of its entity, whose request may have begun later.
  const timed = part(
    'timed',
    sql`select tenant_id, id, version, max(at) over (
      partition by tenant_id, account_id, case when account_id is null then customer_id end order by version) as at
      from fresh`,
  );
  // `offset 0` keeps the planner from looking the head up for each change.
  const heads = part(
    'heads',
    sql`select tenant_id, coalesce((select max(known.position) from ${feed} as known
      where known.tenant_id = tenant.tenant_id), 0) as position
      from (select distinct tenant_id from fresh) as tenant offset 0`,
  );
  const appended = part(
    'appended',
    sql`insert into ${feed} (tenant_id, position, change_id) select tenant_id,
      heads.position + row_number() over (partition by tenant_id order by timed.at, timed.version, timed.id), timed.id
      from timed join heads using (tenant_id) returning 1`,
  );
  const noted = part(
    'noted',
    sql`update ${feedState} set seen = pg_current_snapshot(), system_identifier = ${systemIdentifier}
      where exists (select from state)`,
  );
  return orm
    .with(state, fresh, timed, heads, appended, noted)
    .select({ isDone: sql<boolean>`exists (select from state)` })
    .from(oneRow);
}

const appendUnseen = statement('append_unseen', (orm) => appendFrom(orm, unseen, isSameSystem), {
  acrossTenants,
});

/** Compares the whole history with the feed. */
const appendMissing = statement('append_missing', (orm) => appendFrom(orm, every, sql`true`), {
  acrossTenants,
});

/** How many changes are waiting, up to a limit, and whether the stored snapshot is one of this database cluster. */
const findUnseen = statement(
  'find_unseen',
  (orm) =>
    orm
      .with(orm.$with('state', { one: sql`1` }).as(sql`select seen from ${feedState}`))
      .select({
        isKnown: isSameSystem,
        isStandby: sql<boolean>`pg_is_in_recovery()`,
        count: sql<number>`(select count(*)::integer from (select from ${unseen} as unseen
          limit ${sql.raw(String(maxTimedChanges + 1))}) as waiting)`,
      })
      .from(feedState),
  { acrossTenants },
);

/** Runs a statement without timeouts: after an upgrade or a restore, and if much was written while nobody read. */
function runUntimed({ orm }: Database, { build, name }: typeof appendUnseen) {
  return build(orm).prepare(name).execute();
}

async function append(database: Database): Promise<void> {
  for (;;) {
    const [found] = await database.run(findUnseen, {});
    if (found === undefined) throw new Error('The feed has no state.');
    const { isKnown, isStandby, count } = found;
    // A standby may lack changes that have committed. It refuses the statement that appends.
    if (isKnown && count === 0 && !isStandby) return;
    const statement = isKnown ? appendUnseen : appendMissing;
    const isTimed = isStandby || (isKnown && count <= maxTimedChanges);
    const [tried] = await (isTimed ? database.run(statement, {}) : runUntimed(database, statement));
    if (tried?.isDone === true) return;
  }
}

/** Appends all changes that have committed before the call. Throws UnavailableError. */
export type Append = () => Promise<void>;

/**
 * Returns a function that appends committed changes to the feed. Only one transaction of all replicas appends at a
 * time. Concurrent calls share the next one.
 */
export function createAppend(database: Database): Append {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  function start(): Promise<void> {
    next = undefined;
    running = append(database).finally(() => {
      running = undefined;
    });
    return running;
  }
  return () => {
    if (running === undefined) return start();
    // The running one may have looked before the changes of this caller had committed.
    next ??= running.then(start, start);
    return next;
  };
}

/** Returns a function that appends a while after the first of several writes. */
export function createLateAppend(append: Append, log: Logger) {
  let timer: NodeJS.Timeout | undefined;
  return {
    schedule(): void {
      timer ??= setTimeout(() => {
        timer = undefined;
        append().catch((error: unknown) => log.warn({ err: error }, 'Appending to the change feed failed'));
      }, unreadDelayMs).unref();
    },
    stop: () => clearTimeout(timer),
  };
}
