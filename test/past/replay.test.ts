import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differencesOf } from '../../src/past/diff.ts';
import { decodeState, encodeState, replay, type State, type Step } from '../../src/past/replay.ts';
import type { Json } from '../support/service.ts';

const second = (n: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, n));
const at = (n: number) => second(n).toISOString();

function step(version: number, before: Json, after: Json, seconds = version): Step {
  return { version, at: second(seconds), before, after };
}

const span = (value: string, from: unknown = null, until: unknown = null) => ({
  value,
  effectiveFrom: from,
  effectiveUntil: until,
});
const setting = (id: string, value: string) => ({
  ...{ namespace: 'n', id, name: 'Setting' },
  ...{ dataType: 'STRING', value },
});

const created = step(1, null, { name: 'One', tags: [], aliases: [span('x'), span('y')], settings: [] });

function stateAfter(...steps: Step[]): State {
  const state = replay(null, steps);
  if (state === null) throw new Error('There is no state.');
  return state;
}

const fieldsOf = (state: State) =>
  Object.fromEntries([...state.fields].map(([key, { value, version }]) => [key, [value, version]]));

describe('replay', () => {
  it('returns its base without changes', () => {
    expect(replay(null, [])).toBeNull();
    const state = stateAfter(created);
    expect(replay(state, [])).toBe(state);
  });

  it('does not change its base', () => {
    const base = stateAfter(created);
    const before = structuredClone(encodeState(base));
    replay(base, [step(2, { name: 'One', aliases: [span('x')] }, { name: 'Two', aliases: [] })]);
    expect(encodeState(base)).toEqual(before);
  });

  it('sets fields, also to null, and keeps the version of their last change', () => {
    const renamed = step(2, { name: 'One', netTermDays: null }, { name: 'Two', netTermDays: 7 });
    const cleared = step(3, { netTermDays: 7 }, { netTermDays: null });
    expect(fieldsOf(stateAfter(created, renamed, cleared))).toEqual({
      ...{ name: ['Two', 2], tags: [[], 1], netTermDays: [null, 3] },
    });
  });

  it('begins a version no earlier than the version before it', () => {
    const early = step(2, { name: 'One' }, { name: 'Two' }, -5);
    expect(stateAfter(created, early)).toMatchObject({ version: 2, beginsAt: second(1) });
    expect(replay(stateAfter(created), [early])?.beginsAt).toEqual(second(1));
  });

  it('keeps the creation of a span that ends, and its place among the aliases of its request', () => {
    const ended = step(2, { aliases: [span('y')] }, { aliases: [span('y', null, at(2))] });
    const again = step(3, { aliases: [] }, { aliases: [span('y', at(3))] });
    expect(stateAfter(created, ended, again).aliases.get('y')?.value).toEqual([
      { effectiveFrom: null, effectiveUntil: second(2), createdAt: second(1), ordinal: 2 },
      { effectiveFrom: second(3), effectiveUntil: null, createdAt: second(3), ordinal: 0 },
    ]);
  });

  it('reads the infinities of old rows as missing bounds', () => {
    const old = step(1, null, { aliases: [span('x', '-infinity', 'infinity')] });
    const ended = step(2, { aliases: [span('x', '-infinity')] }, { aliases: [span('x', null, at(2))] });
    expect(stateAfter(old, ended).aliases.get('x')?.value).toMatchObject([
      { effectiveFrom: null, effectiveUntil: second(2) },
    ]);
  });

  it('removes a span that had not begun, and keeps the version of its removal', () => {
    const planned = step(2, { aliases: [] }, { aliases: [span('z', at(99))] });
    const removed = step(3, { aliases: [span('z', at(99))] }, { aliases: [] });
    expect(stateAfter(created, planned, removed).aliases.get('z')).toEqual({ value: [], version: 3 });
  });

  it('does not count a setting as changed if it was put again with the same value', () => {
    const put = step(2, { settings: [] }, { settings: [setting('a', '1'), setting('b', '1')] });
    const [a, b] = [setting('a', '1'), setting('b', '2')];
    const again = step(3, { settings: [a, setting('b', '1')] }, { settings: [a, b] });
    const removed = step(4, { settings: [b] }, { settings: [] });
    const { settings } = stateAfter(created, put, again, removed);
    expect([...settings.values()]).toEqual([
      { value: a, version: 2 },
      { value: null, version: 4 },
    ]);
  });
});

const name = fc.constantFrom('a', 'b', '__proto__', 'constructor');
const value = fc.constantFrom(null, 1, 'x', [], { k: 'v' });
const bound = fc.option(fc.nat(9).map(at));
const change = fc.record(
  {
    fields: fc.array(fc.tuple(name, value), { maxLength: 2 }),
    aliases: fc.array(fc.tuple(name, bound, bound), { maxLength: 2 }),
    settings: fc.array(fc.tuple(name, fc.constantFrom('1', '2')), { maxLength: 2 }),
    seconds: fc.nat(30),
  },
  { noNullPrototype: true },
);
const histories = fc.array(change, { minLength: 2, maxLength: 12 }).map((all) =>
  all.map(({ fields, aliases, settings, seconds }, index) => {
    const recorded = {
      ...JSON.parse(`{${fields.map(([key, one]) => `"${key}":${JSON.stringify(one)}`).join()}}`),
      aliases: aliases.map(([alias, from, until]) => span(alias, from, until)),
      settings: settings.map(([id, text]) => setting(id, text)),
    };
    return step(index + 1, index === 0 ? null : {}, recorded, seconds);
  }),
);

describe('a snapshot', () => {
  it('changes no later state and no diff, whichever version it has', () => {
    const holds = fc.property(histories, fc.nat(), (steps, pick) => {
      const whole = stateAfter(...steps);
      const place = 1 + (pick % (steps.length - 1));
      const part = stateAfter(...steps.slice(0, place));
      const { version, beginsAt } = part;
      const stored = decodeState(JSON.parse(JSON.stringify(encodeState(part))), { version, beginsAt });
      expect(stored).toEqual(part);
      expect(replay(stored, steps.slice(place))).toEqual(whole);
      expect(differencesOf(stored, whole)).toEqual(differencesOf(part, whole));
    });
    fc.assert(holds, { numRuns: 300 });
  });
});
