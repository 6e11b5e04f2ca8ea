import { isDeepStrictEqual } from 'node:util';
import { sql } from 'drizzle-orm';
import type { Ctx, Loader } from '../ctx.ts';
import { given, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { fieldPath } from '../history/present.ts';
import { type ChangeRow, changes } from '../history/table.ts';
import { InvalidInputError } from '../lib/errors.ts';
import { groupBy } from '../lib/group.ts';
import { byBytes } from '../lib/text-order.ts';
import type { Past, PastKey } from './read.ts';
import type { Entry, Setting, Span, State } from './replay.ts';
import type { EntityType } from './rules.ts';

/** A field whose values in two states differ. */
export interface Difference {
  field: string;
  before: unknown;
  after: unknown;
  /** The version that last changed the field, up to the later state. */
  version: number;
}

export type FieldChange = Difference & Pick<ChangeRow, 'at' | 'actor' | 'requestId'>;

interface Part<Value> {
  of(state: State): ReadonlyMap<string, Entry<Value>>;
  nameOf(key: string): string;
  /** Returns the value as the API shows it. */
  show(value: Value, key: string): unknown;
}

function showSpans(spans: readonly Span[], value: string): unknown {
  const shown = spans.map(({ effectiveFrom, effectiveUntil }) => ({
    value,
    effectiveFrom: effectiveFrom?.toISOString() ?? null,
    effectiveUntil: effectiveUntil?.toISOString() ?? null,
  }));
  return shown.length === 0 ? null : shown;
}

const fields: Part<unknown> = { of: (state) => state.fields, nameOf: fieldPath, show: (value) => value };
const aliases: Part<readonly Span[]> = {
  of: (state) => state.aliases,
  nameOf: (value) => `aliases.${value}`,
  show: showSpans,
};
const settings: Part<Setting | null> = {
  of: (state) => state.settings,
  nameOf: (key) => `settings.${(JSON.parse(key) as string[]).join('.')}`,
  show: (value) => value,
};

function differencesIn<Value>(part: Part<Value>, older: State | null, newer: State): Difference[] {
  const earlier = older === null ? undefined : part.of(older);
  return [...part.of(newer)].flatMap(([key, entry]) => {
    const known = earlier?.get(key);
    // Entries are never deleted, so an equal version means an equal value.
    if (known?.version === entry.version) return [];
    const before = known === undefined ? null : part.show(known.value, key);
    const after = part.show(entry.value, key);
    if (isDeepStrictEqual(before, after)) return [];
    return [{ field: part.nameOf(key), before, after, version: entry.version }];
  });
}

/** Returns the fields in which two states of an entity differ, ordered by name. An older state of null has no fields. */
export function differencesOf(older: State | null, newer: State): Difference[] {
  const all = [
    ...differencesIn(fields, older, newer),
    ...differencesIn(aliases, older, newer),
    ...differencesIn(settings, older, newer),
  ];
  return all.toSorted((a, b) => byBytes(a.field, b.field));
}

interface VersionKey {
  type: EntityType;
  id: string;
  version: number;
}

type Origin = Pick<ChangeRow, 'at' | 'actor' | 'requestId'>;

const ofAccount = sql`${changes.accountId} = wanted.id`;
const ofCustomer = sql`${changes.customerId} = wanted.id and ${changes.accountId} is null`;

function originStatement(type: EntityType) {
  const isOwn = type === 'ACCOUNT' ? ofAccount : ofCustomer;
  return statement(`origins_of_${type.toLowerCase()}_versions`, (orm) =>
    orm
      .select({
        place: sql<number>`wanted.place::integer`,
        origin: { at: changes.at, actor: changes.actor, requestId: changes.requestId },
      })
      .from(
        sql`unnest(${given('ids', 'text[]')}, ${given('versions', 'integer[]')})
          with ordinality as wanted(id, version, place)`,
      )
      .innerJoin(
        changes,
        sql`${changes.tenantId} = ${tenantId} and ${isOwn} and ${changes.version} = wanted.version`,
      ),
  );
}

const originStatements = { ACCOUNT: originStatement('ACCOUNT'), CUSTOMER: originStatement('CUSTOMER') };

/** Reads when and by whom versions were written. */
const originOfVersion: Loader<VersionKey, Origin> = {
  name: 'originOfVersion',
  turn: 4,
  keyOf: ({ type, id, version }) => `${type} ${version} ${id}`,
  async load({ run }, keys) {
    const found = new Map<VersionKey, Origin>();
    for (const [type, some] of groupBy(keys, (key) => key.type)) {
      const rows = await run(originStatements[type], {
        ids: some.map(({ id }) => id),
        versions: some.map(({ version }) => version),
      });
      for (const { place, origin } of rows) found.set(some[place - 1] as VersionKey, origin);
    }
    return keys.map((key) => {
      const origin = found.get(key);
      if (origin === undefined) throw new Error('A version has no change.');
      return origin;
    });
  },
};

/** The owner of a diff, and how its past is read. */
interface Compared {
  type: EntityType;
  id: string;
  loader: Loader<PastKey, Past | null>;
}

/**
 * Returns the fields that differ between two instants, each with the change that last changed it. Throws
 * InvalidInputError if `from` is later than `to`.
 */
export async function fieldChanges(
  ctx: Ctx,
  { type, id, loader }: Compared,
  { from, to }: { from: Date; to: Date },
): Promise<FieldChange[]> {
  if (from > to) {
    const end = to.getTime() === ctx.now.getTime() ? 'the time of the request' : to.toISOString();
    const message = `must not be later than \`to\`, which is ${end}`;
    throw new InvalidInputError([{ path: ['from'], code: 'INVALID_VALUE', message }]);
  }
  const [older, newer] = await Promise.all([from, to].map(async (asOf) => ctx.load(loader, { id, asOf })));
  if (newer == null) return [];
  const differences = differencesOf(older?.state ?? null, newer.state);
  return Promise.all(
    differences.map(async (one) => ({
      ...one,
      ...(await ctx.load(originOfVersion, { type, id, version: one.version })),
    })),
  );
}
