import { isDeepStrictEqual } from 'node:util';
import type { ChangeRow } from '../history/table.ts';
import { settingKey } from '../setting/rules.ts';
import type { SettingRow } from '../setting/table.ts';
import type { StoredEntry, StoredState } from './table.ts';

/** The parts of a change that the replay needs. */
export type Step = Pick<ChangeRow, 'version' | 'at' | 'before' | 'after'>;

/** A value, and the version that last changed it. */
export interface Entry<Value> {
  value: Value;
  version: number;
}

/** A span of an alias. */
export interface Span {
  /** null: no start. */
  effectiveFrom: Date | null;
  /** null: no end. */
  effectiveUntil: Date | null;
  createdAt: Date;
  ordinal: number;
}

export type Setting = Pick<SettingRow, 'namespace' | 'id' | 'name' | 'dataType' | 'value'>;

/** One version of an account or customer, as the history recorded it. */
export interface State {
  version: number;
  /** The instant from which the version is current: the latest of its change and all before. Clocks of replicas differ. */
  beginsAt: Date;
  /** By the key of the column. */
  fields: ReadonlyMap<string, Entry<unknown>>;
  /** By value. An alias without spans was removed before its start. */
  aliases: ReadonlyMap<string, Entry<readonly Span[]>>;
  /** By `settingKey`. null: it was removed. */
  settings: ReadonlyMap<string, Entry<Setting | null>>;
}

type Fields = Record<string, unknown>;
type Entries<Value> = Map<string, Entry<Value>>;

interface Draft {
  fields: Entries<unknown>;
  aliases: Entries<readonly Span[]>;
  settings: Entries<Setting | null>;
}

/** Sets a value, unless it has it: a change of settings also records those that it leaves equal. */
function set<Value>(entries: Entries<Value>, name: string, value: Value, version: number): void {
  const known = entries.get(name);
  if (known === undefined || !isDeepStrictEqual(known.value, value)) entries.set(name, { value, version });
}

function listOf<Element = Fields>(recorded: Fields | null, name: string): Element[] {
  return (recorded?.[name] ?? []) as Element[];
}

/** Returns a bound of a recorded span. Old rows have the infinities of PostgreSQL. */
function boundOf(recorded: unknown): Date | null {
  const isOpen = recorded == null || recorded === 'infinity' || recorded === '-infinity';
  return isOpen ? null : new Date(String(recorded));
}

function startsAt({ effectiveFrom }: Pick<Span, 'effectiveFrom'>): number {
  return effectiveFrom?.getTime() ?? Number.NEGATIVE_INFINITY;
}

const boundsOf = (recorded: Fields) => ({
  effectiveFrom: boundOf(recorded.effectiveFrom),
  effectiveUntil: boundOf(recorded.effectiveUntil),
});

function applyFields({ fields }: Draft, { version, before, after }: Step): void {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  for (const name of names) {
    if (name !== 'aliases' && name !== 'settings') set(fields, name, after?.[name] ?? null, version);
  }
}

/** Replaces the spans before a change by those after it. The start identifies a span of a value. */
function applyAliases({ aliases }: Draft, { version, at, before, after }: Step): void {
  const [gone, come] = [listOf(before, 'aliases'), listOf(after, 'aliases')];
  // In a creation, the account's own id is the first alias. It is not recorded.
  const firstOrdinal = before === null ? 1 : 0;
  const values = new Set([...gone, ...come].map(({ value }) => String(value)));
  for (const value of values) {
    const spans = aliases.get(value)?.value ?? [];
    const replaced = [...gone, ...come].filter((one) => one.value === value);
    const starts = new Set(replaced.map((one) => startsAt(boundsOf(one))));
    const added = come.flatMap((one, index) => {
      if (one.value !== value) return [];
      const bounds = boundsOf(one);
      const old = spans.find((span) => startsAt(span) === startsAt(bounds));
      return [{ createdAt: at, ordinal: index + firstOrdinal, ...old, ...bounds }];
    });
    const kept = spans.filter((span) => !starts.has(startsAt(span)));
    const all = [...kept, ...added].toSorted((a, b) => startsAt(a) - startsAt(b));
    set(aliases, value, all, version);
  }
}

function applySettings({ settings }: Draft, { version, before, after }: Step): void {
  const gone = listOf<Setting>(before, 'settings').map((one) => [settingKey(one), null] as const);
  const come = listOf<Setting>(after, 'settings').map(
    ({ namespace, id, name, dataType, value }) =>
      [settingKey({ namespace, id }), { namespace, id, name, dataType, value }] as const,
  );
  for (const [key, value] of new Map<string, Setting | null>([...gone, ...come]))
    set(settings, key, value, version);
}

/**
 * Returns the state after changes of an entity. They must follow the base without a gap, in the order of their versions.
 * A base of null is the time before the creation.
 */
export function replay(base: State | null, steps: readonly Step[]): State | null {
  const last = steps.at(-1);
  if (last === undefined) return base;
  const draft: Draft = {
    fields: new Map(base?.fields),
    aliases: new Map(base?.aliases),
    settings: new Map(base?.settings),
  };
  for (const step of steps) {
    applyFields(draft, step);
    applyAliases(draft, step);
    applySettings(draft, step);
  }
  const begun = steps.map(({ at }) => at.getTime());
  const beginsAt = new Date(Math.max(base?.beginsAt.getTime() ?? Number.NEGATIVE_INFINITY, ...begun));
  return { ...draft, version: last.version, beginsAt };
}

/** Returns the number of values in a state, also of removed ones. */
export function sizeOf({ fields, aliases, settings }: State): number {
  const spans = [...aliases.values()].reduce((sum, { value }) => sum + value.length, 0);
  return fields.size + aliases.size + spans + settings.size;
}

function encodeEntries<Value>(
  entries: ReadonlyMap<string, Entry<Value>>,
  encode: (value: Value) => unknown = (value) => value,
): StoredEntry[] {
  return [...entries].map(([name, { value, version }]) => [name, encode(value), version]);
}

function decodeEntries<Value>(
  stored: readonly StoredEntry[],
  decode: (value: unknown) => Value = (value) => value as Value,
): Entries<Value> {
  return new Map(stored.map(([name, value, version]) => [name, { value: decode(value), version }]));
}

type StoredSpan = [from: string | null, until: string | null, createdAt: string, ordinal: number];

const encodeSpan = ({ effectiveFrom, effectiveUntil, createdAt, ordinal }: Span) => [
  effectiveFrom,
  effectiveUntil,
  createdAt,
  ordinal,
];

const decodeSpan = ([from, until, createdAt, ordinal]: StoredSpan): Span => ({
  effectiveFrom: boundOf(from),
  effectiveUntil: boundOf(until),
  createdAt: new Date(createdAt),
  ordinal,
});

/** Returns a state in the form that a snapshot stores. */
export function encodeState({ fields, aliases, settings }: State): StoredState {
  return {
    fields: encodeEntries(fields),
    aliases: encodeEntries(aliases, (spans) => spans.map(encodeSpan)),
    settings: encodeEntries(settings),
  };
}

/** Returns the state of a snapshot. */
export function decodeState(
  { fields, aliases, settings }: StoredState,
  of: Pick<State, 'version' | 'beginsAt'>,
): State {
  return {
    ...of,
    fields: decodeEntries(fields),
    aliases: decodeEntries(aliases, (spans) => (spans as StoredSpan[]).map(decodeSpan)),
    settings: decodeEntries(settings),
  };
}
