import { InvalidInputError, type Issue } from './errors.ts';
import { issuesOf } from './wording.ts';
import { z } from './zod.ts';

export const maxPageSize = 100;
export const pageSize = z.int().min(1).max(maxPageSize);
export const defaultPageSize = 20;

export interface PageArgs {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

/** The values by which a list is ordered: the chosen field's, then the one that makes the order total. */
export type Position = [value: string, tie: string];

export interface PageRequest {
  size: number;
  /** Walk from the end of the list towards its beginning. */
  backward: boolean;
  /** Where to go on from, exclusive; undefined at the end of the list where the walk begins. */
  from: Position | undefined;
}

/** Names the list's order and a place in it; opaque to callers. */
export function encodeCursor(order: string, position: Position): string {
  return Buffer.from(JSON.stringify([order, ...position])).toString('base64url');
}

/** Whether a cursor's value is an instant as `Date.toISOString` writes it, in years that a DateTime can name. */
export function isInstant(value: string): boolean {
  const time = Date.parse(value);
  if (Number.isNaN(time) || new Date(time).toISOString() !== value) return false;
  return /^\d{4}-/.test(value) && !value.startsWith('0000');
}

const cursorContent = z.tuple([z.string(), z.string(), z.string()]);

function decodeCursor(order: string, cursor: string): Position | undefined {
  try {
    const [of, value, tie] = cursorContent.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
    return of === order && encodeCursor(order, [value, tie]) === cursor ? [value, tie] : undefined;
  } catch {
    return undefined;
  }
}

function conflicts({ first, after, last, before }: PageArgs): Issue[] {
  const both = (a: string, b: string): Issue => ({
    path: [a],
    code: 'INVALID_VALUE',
    message: `must not stand beside ${b}: walk forward with first and after, or backward with last and before`,
  });
  const given = (value: unknown) => value !== null && value !== undefined;
  if (given(first) && given(last)) return [both('first', 'last')];
  if (given(after) && given(before)) return [both('after', 'before')];
  if (given(last) && given(after)) return [both('last', 'after')];
  if (given(before) && !given(last)) return [both('before', 'first, stated or not')];
  return [];
}

/**
 * What a connection's arguments ask for. `order` names the list's order, and `isPosition` tells whether a cursor's
 * values could come from it. Throws InvalidInputError when the arguments contradict each other or a cursor is not one.
 */
export function parsePage(
  args: PageArgs,
  order: string,
  isPosition: (position: Position) => boolean,
): PageRequest {
  const backward = args.last !== null && args.last !== undefined;
  const size = args.first ?? args.last ?? defaultPageSize;
  const checked = pageSize.safeParse(size);
  const sizeIssues = checked.error ? issuesOf(checked.error) : [];
  const issues = [
    ...conflicts(args),
    ...sizeIssues.map((issue) => ({ ...issue, path: [backward ? 'last' : 'first'] })),
  ];
  if (issues.length > 0) throw new InvalidInputError(issues);

  const cursor = backward ? args.before : args.after;
  if (cursor === null || cursor === undefined) return { size, backward, from: undefined };
  const from = decodeCursor(order, cursor);
  if (from !== undefined && isPosition(from)) return { size, backward, from };
  const message = 'must be a cursor that a page of this list with this order gave you';
  throw new InvalidInputError([{ path: [backward ? 'before' : 'after'], code: 'INVALID_FORMAT', message }]);
}

export interface Page<Row> {
  /** In the list's order, whichever way the walk went. */
  rows: Row[];
  /** Whether the page was read from the end of the list towards its beginning. */
  backward: boolean;
  /** Whether the walk goes on after this page. */
  hasMore: boolean;
  /** Whether the list has rows before the place where the walk began: at most one statement, and none without a cursor. */
  hasRowsBehind(): Promise<boolean>;
}

/** A page together with what only some callers ask of its list. */
export interface ListPage<Row> extends Page<Row> {
  cursorOf(row: Row): string;
  /** Counts the whole list: a statement of its own. */
  count(): Promise<number>;
}

/** Makes a page of the rows that a walk found, when it asked for one more than the page's size. */
export function pageOf<Row>(
  { size, backward, from }: PageRequest,
  found: Row[],
  findBehind: () => Promise<boolean>,
): Page<Row> {
  const rows = found.slice(0, size);
  if (backward) rows.reverse();
  let behind: Promise<boolean> | undefined;
  return {
    rows,
    backward,
    hasMore: found.length > size,
    hasRowsBehind() {
      behind ??= from === undefined ? Promise.resolve(false) : findBehind();
      return behind;
    },
  };
}
