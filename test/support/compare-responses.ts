import { isDeepStrictEqual } from 'node:util';
import type { Json } from './service.ts';

/** Returns a response as text with sorted keys, because incremental responses order them differently. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join()}}`;
}

/** Merges the data of a part into the previous data, own properties only. */
function merge(target: Json, source: Json): void {
  for (const [name, value] of Object.entries(source)) {
    const known = Object.hasOwn(target, name) ? target[name] : undefined;
    if (typeof known === 'object' && known !== null && typeof value === 'object' && value !== null)
      merge(known, value);
    else Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
  }
}

const own = (value: Json, name: string | number): Json =>
  value != null && Object.hasOwn(value, name) ? value[name] : undefined;

/** Returns the single response that the parts of an incremental response add up to. */
export function whole(parts: Json[]): Json {
  const [first, ...later] = parts;
  const answer = { data: first.data, errors: first.errors ?? [], cameInParts: true };
  for (const part of [
    ...(first.incremental ?? []),
    ...later.flatMap(({ incremental = [] }) => incremental),
  ]) {
    answer.errors.push(...(part.errors ?? []));
    // A part below a fragment that an error has made null is dropped.
    const target = part.data && part.path.reduce(own, answer.data);
    if (target) merge(target, part.data);
    // A list is streamed twice if its fragment is deferred in one place and not in another.
    const list = part.items && part.path.slice(0, -1).reduce(own, answer.data);
    if (list) for (const [index, item] of part.items.entries()) list[part.path.at(-1) + index] = item;
  }
  return answer;
}

export const partsIn = (text: string): Json[] =>
  [...text.matchAll(/^\{.*\}$/gm)].map(([part]) => JSON.parse(part));

interface Shown {
  data: string;
  errors: string[];
}

/** Returns the parts of a response that must be equal. */
function shown({ data, errors }: { data?: Json; errors?: Json }, keepsOrder: boolean): Shown {
  const problems = (errors ?? []).map(({ message, path, locations }: Json) =>
    canonical({ message: message.replace(/ Did you mean .*\?$/s, ''), path, locations }),
  );
  return {
    data: (keepsOrder ? JSON.stringify(data ?? null) : canonical(data ?? null)).replaceAll(
      /"replayedProbe":(true|false)/g,
      '"replayedProbe":0',
    ),
    errors: problems.sort(),
  };
}

/** Returns where the errors of a response made data null, and the errors that made none of their parents null. */
function nullsOf({ data, errors }: Json): string[] {
  const places = (errors ?? []).map(({ message, path }: Json) => {
    if (path === undefined) return canonical({ message });
    const length = path.findIndex(
      (_: unknown, index: number) => path.slice(0, index).reduce(own, data) == null,
    );
    return length === -1 ? canonical({ message, path }) : canonical(path.slice(0, length));
  });
  return [...new Set<string>(places)].sort();
}

/** Fails unless two responses are equal. */
export function expectSame(answer: Json, other: Json, keepsOrder: boolean, way: string): void {
  const [actual, expected] = [shown(answer, keepsOrder), shown(other, keepsOrder)];
  if (isDeepStrictEqual(actual, expected)) return;
  // In an incremental response, an error makes at most its part null.
  const inParts = answer.cameInParts || other.cameInParts;
  if (inParts && expected.errors.length > 0 && actual.errors.length > 0) return;
  // If several fields fail and each makes the same parent null, the response has the error that came first.
  const [nulls, otherNulls] = [answer, other].map(nullsOf);
  if (actual.data === expected.data && isDeepStrictEqual(nulls, otherNulls)) return;
  throw new Error(`${way}:\n${JSON.stringify(actual, null, 1)}\nnot\n${JSON.stringify(expected, null, 1)}`);
}

export const isTooComplex = ({ errors }: Json): boolean =>
  errors?.[0]?.extensions?.code === 'QUERY_TOO_COMPLEX';
