import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { type AccountRow, changeableKeys as accountKeys, accounts } from '../account/table.ts';
import { inAliasOrder, isInForce } from '../alias/rules.ts';
import type { AliasRow } from '../alias/table.ts';
import type { Ctx, Loader } from '../ctx.ts';
import { type CustomerRow, changeableKeys as customerKeys, customers } from '../customer/table.ts';
import { jsonRow } from '../db/json.ts';
import { given, revive, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { changes } from '../history/table.ts';
import { groupBy } from '../lib/group.ts';
import { isStorable } from '../lib/rule.ts';
import { inSettingOrder } from '../setting/rules.ts';
import type { SettingRow } from '../setting/table.ts';
import { decodeState, replay, type State, type Step } from './replay.ts';
import type { EntityType } from './rules.ts';
import { isDue, keepSnapshots, type Replayed, stride } from './snapshots.ts';
import { historySnapshots, type StoredState } from './table.ts';

/** An entity at an instant. */
export interface PastKey {
  id: string;
  asOf: Date;
  /** Reads the state at the creation if the instant is before it: the clock of the replica that created it can be ahead. */
  orCreation?: boolean;
}

/** What rows of the past have in addition to current ones. Resolvers tell them by `asOf`. */
export interface Past {
  asOf: Date;
  state: State;
}

/** A row that is current, or of the past. */
export type AnyTime<Row> = Row & Partial<Past>;

export type PastAccount = AccountRow & Past;
export type PastCustomer = CustomerRow & Past;

export function isPast<Row extends object>(row: AnyTime<Row>): row is Row & Past {
  return row.asOf !== undefined;
}

type EntityTable = PgTable & Record<'tenantId' | 'id' | 'createdAt', PgColumn>;

/** How the versions of a type of entities are read. */
interface Source {
  type: EntityType;
  name: string;
  table: EntityTable;
  /** The columns that never change. They are read from the current row. */
  fixedKeys: readonly string[];
  /** The columns that the history records. */
  recordedKeys: readonly string[];
  /** The condition that a change, under an alias, is one of the row `entity`. */
  isOwn(change: string): SQL;
}

// The planner expects few rows of `unnest`, and thus uses the indexes.
const wanted = sql`unnest(${given('ids', 'text[]')}, ${given('instants', 'text[]')}::timestamptz[],
  ${given('orCreation', 'text[]')}::boolean[], ${given('after', 'integer[]')})
  with ordinality as wanted(id, instant, or_creation, after, place)`;

const limit = given('limit', 'integer');

/**
 * Defines the statement that reads a part of the changes of entities up to an instant: from the last snapshot before it,
 * or from the version `after`. Versions have no gaps, so the part has at most `limit` of them. It ends before the first
 * change that is later than the instant, even if a change after that is earlier again.
 */
function partStatement({ type, name, table, fixedKeys, isOwn }: Source) {
  const fixed = jsonRow(table, 'entity', { keys: fixedKeys, when: true });
  const row = sql`${table} as entity`;
  const instant = sql`case when wanted.or_creation then greatest(wanted.instant, entity.created_at) else wanted.instant end`;
  const base = sql`select snapshot.version, snapshot.begins_at, snapshot.state
    from ${historySnapshots} as snapshot where snapshot.tenant_id = ${tenantId}
      and snapshot.entity_type = ${sql.raw(`'${type}'`)} and snapshot.entity_id = entity.id
      and snapshot.begins_at <= ${instant} and wanted.after = 0
    order by snapshot.begins_at desc, snapshot.version desc limit 1`;
  const start = sql`coalesce(base.version, wanted.after)`;
  const inPart = (change: string) => {
    const [tenant, version] = [sql.raw(`${change}.tenant_id`), sql.raw(`${change}.version`)];
    return sql`${tenant} = ${tenantId} and ${isOwn(change)} and ${version} > ${start} and ${version} <= ${start} + ${limit}`;
  };
  const firstLater = sql`select later.version from ${changes} as later
    where ${inPart('later')} and later.at > ${instant} order by later.version limit 1`;
  const steps = sql`select json_agg(json_build_array(change.version, change.at, change.before, change.after)
      order by change.version) as steps
    from ${changes} as change
    where ${inPart('change')} and change.version < coalesce((${firstLater}), ${start} + ${limit} + 1)`;
  return statement(name, (orm) =>
    orm
      .select({
        place: sql<number>`wanted.place::integer`,
        fixed: fixed.value.mapWith(fixed.decode) as SQL<Record<string, unknown>>,
        version: sql<number | null>`base.version`,
        beginsAt: sql<Date | null>`base.begins_at`.mapWith(historySnapshots.beginsAt),
        state: sql<StoredState | null>`base.state`,
        steps: sql<StoredStep[] | null>`replayed.steps`,
      })
      .from(
        sql`${wanted} join ${row} on entity.tenant_id = ${tenantId} and entity.id = wanted.id
          left join lateral (${base}) as base on true left join lateral (${steps}) as replayed on true`,
      ),
  );
}

type StoredStep = [version: number, at: string, before: Step['before'], after: Step['after']];

function decodeSteps(stored: StoredStep[] | null): Step[] {
  return (stored ?? []).map(([version, at, before, after]) => ({ version, at: new Date(at), before, after }));
}

/** The progress of a read of one entity. */
interface Reading extends Replayed {
  key: PastKey;
  fixed: Record<string, unknown> | undefined;
  state: State | null;
  /** The version of the last snapshot, or 0. */
  since: number;
  due: State[];
}

/** Replays changes, and notes the states that are due for a snapshot on the way. */
function advance(reading: Reading, steps: readonly Step[]): void {
  reading.count += steps.length;
  for (const some of groupBy(steps, ({ version }) => Math.ceil(version / stride)).values()) {
    reading.state = replay(reading.state, some);
    if (reading.state === null || !isDue(reading.state, reading.since)) continue;
    reading.due.push(reading.state);
    reading.since = reading.state.version;
  }
}

/** The most changes of one entity, and of all entities, that a statement reads. */
const maxPart = 500;
const maxTogether = 25_000;

type PartStatement = ReturnType<typeof partStatement>;

/** Reads a part of the changes of each entity. Returns the readings that have more. */
async function readPart(ctx: Ctx, read: PartStatement, open: readonly Reading[], limit: number) {
  const rows = await ctx.run(read, {
    // No id is empty, so an unstorable one finds nothing.
    ids: open.map(({ entityId }) => (isStorable(entityId) ? entityId : '')),
    instants: open.map(({ key }) => key.asOf.toISOString()),
    orCreation: open.map(({ key }) => String(key.orCreation === true)),
    after: open.map(({ state }) => state?.version ?? 0),
    limit,
  });
  const unfinished: Reading[] = [];
  for (const row of rows) {
    const reading = open[row.place - 1];
    if (reading === undefined) continue;
    reading.fixed = row.fixed;
    const { version, beginsAt } = row;
    if (row.state !== null && version !== null && beginsAt !== null) {
      reading.state = decodeState(row.state, { version, beginsAt });
      reading.since = version;
    }
    const steps = decodeSteps(row.steps);
    advance(reading, steps);
    if (steps.length === limit) unfinished.push(reading);
  }
  return unfinished;
}

/** Reads the states of entities at instants, in parts, so that a long history without snapshots needs little memory. */
async function readStates(ctx: Ctx, { type }: Source, read: PartStatement, keys: readonly PastKey[]) {
  const readings = keys.map(
    (key): Reading => ({
      ...{ key, entityId: key.id.normalize('NFC'), fixed: undefined, state: null },
      ...{ count: 0, since: 0, due: [] },
    }),
  );
  const limit = Math.max(stride, Math.min(maxPart, Math.floor(maxTogether / keys.length)));
  try {
    for (let open = readings; open.length > 0; ) open = await readPart(ctx, read, open, limit);
  } finally {
    // Also after a timeout, so that the next read replays less.
    keepSnapshots(ctx, type, readings);
  }
  return readings;
}

/** Defines the loader of the rows of a source at instants. `null` before the creation. */
function pastLoader<Row>(source: Source, turn: 2 | 3): Loader<PastKey, (Row & Past) | null> {
  const part = partStatement(source);
  return {
    name: source.name,
    turn,
    keyOf: ({ id, asOf, orCreation = false }) => `${asOf.getTime()} ${orCreation} ${id.normalize('NFC')}`,
    async load(ctx, keys) {
      const readings = await readStates(ctx, source, part, keys);
      return readings.map(({ key: { asOf }, fixed, state }) => {
        if (fixed === undefined || state === null) return null;
        const recordedOf = (key: string) => [key, state.fields.get(key)?.value ?? null];
        const recorded = revive(source.table, Object.fromEntries(source.recordedKeys.map(recordedOf)));
        const { version, beginsAt: updatedAt } = state;
        return { ...fixed, ...recorded, version, updatedAt, asOf, state } as unknown as Row & Past;
      });
    },
  };
}

/** Reads accounts as they were recorded at instants. */
export const accountAsOf = pastLoader<AccountRow>(
  {
    ...{ type: 'ACCOUNT', name: 'accounts_as_of', table: accounts },
    fixedKeys: ['tenantId', 'id', 'nodeId', 'customerId', 'createdAt'],
    recordedKeys: accountKeys,
    isOwn: (change) => sql`${sql.raw(`${change}.account_id`)} = entity.id`,
  },
  2,
);

/** Reads customers as they were recorded at instants. */
export const customerAsOf = pastLoader<CustomerRow>(
  {
    ...{ type: 'CUSTOMER', name: 'customers_as_of', table: customers },
    fixedKeys: ['tenantId', 'id', 'nodeId', 'createdAt'],
    recordedKeys: customerKeys,
    isOwn: (change) =>
      sql`${sql.raw(`${change}.customer_id`)} = entity.id and ${sql.raw(`${change}.account_id`)} is null`,
  },
  3,
);

/** An alias that is current, or of an account of the past. */
export type AnyTimeAlias = AliasRow & Partial<Pick<Past, 'asOf'>>;

/** Returns the aliases that were recorded for an account, and in force at an instant, in their usual order. */
export function pastAliases({ tenantId, id, asOf, state }: PastAccount, on: Date): AnyTimeAlias[] {
  const all = [...state.aliases].flatMap(([value, { value: spans }]) =>
    spans.map((span) => ({ ...span, value, accountId: id, tenantId, asOf })),
  );
  return inAliasOrder(all.filter((alias) => isInForce(alias, on)));
}

/** Returns the settings that were recorded for an account or customer, in their usual order. */
export function pastSettings({ tenantId, id, asOf, state }: PastAccount | PastCustomer, type: EntityType) {
  const all = [...state.settings.values()].flatMap(({ value }): (SettingRow & Pick<Past, 'asOf'>)[] =>
    value === null ? [] : [{ ...value, ownerType: type, ownerId: id, tenantId, asOf }],
  );
  return inSettingOrder(all);
}
