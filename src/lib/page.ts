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

/** The values that order a list: that of the chosen field, then a unique one that breaks ties. */
export type Position = [value: string, tie: string];

export interface PageRequest {
  size: number;
  /** Whether to page from the end of the list towards its start. */
  backward: boolean;
  /** The position to continue after. Undefined for the first page. */
  from: Position | undefined;
}

/** Encodes the order of a list and a position in it. Opaque to callers. */
export function encodeCursor(order: string, position: Position): string {
  return Buffer.from(JSON.stringify([order, ...position])).toString('base64url');
}

/** Whether a cursor's value is an instant as `Date.toISOString` writes it, with a year that DateTime can represent. */
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
  const conflict = (argument: string, problem: string): Issue => ({
    path: [argument],
    code: 'INVALID_VALUE',
    message: `${problem}: page forward with first and after, or backward with last and before`,
  });
  const given = (value: unknown) => value !== null && value !== undefined;
  if (given(first) && given(last)) return [conflict('first', 'must not be combined with last')];
  if (given(after) && given(before)) return [conflict('after', 'must not be combined with before')];
  if (given(last) && given(after)) return [conflict('last', 'must not be combined with after')];
  if (given(before) && !given(last)) return [conflict('before', 'must be combined with last')];
  return [];
}

/**
 * Parses the arguments of a connection. `order` names the list's order; `isPosition` tells whether a cursor's values
 * can come from it. Throws InvalidInputError if arguments contradict each other or the cursor is invalid.
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
  const message = 'must be a cursor from a page of this list with the same order';
  throw new InvalidInputError([{ path: [backward ? 'before' : 'after'], code: 'INVALID_FORMAT', message }]);
}

export interface Page<Row> {
  /** In the list's order, also if the page was read backward. */
  rows: Row[];
  /** Whether the page was read from the end of the list towards its start. */
  backward: boolean;
  /** Whether there are more rows in the direction of paging. */
  hasMore: boolean;
  /** Whether there are rows in the opposite direction. Runs at most one statement, and none without a cursor. */
  hasRowsBehind(): Promise<boolean>;
}

/** The highest count of a list. Beyond it, counting would take too long. */
export const maxTotalCount = 10_000;

/** The number of entries of a list. */
export interface Total {
  count: number;
  /** Whether the list has no more entries than `count`. */
  isExact: boolean;
}

/** Returns the total of a list from a count that stops at one more than the maximum. */
export function totalOf(found: number): Total {
  return { count: Math.min(found, maxTotalCount), isExact: found <= maxTotalCount };
}

/** A page with its cursors and the count of the whole list. */
export interface ListPage<Row> extends Page<Row> {
  cursorOf(row: Row): string;
  /** Counts the whole list up to the highest count, once, with statements of its own. */
  count(): Promise<Total>;
}

/** Returns a function that counts once, by a function that counts up to one more than the maximum. */
export function countOnce(count: () => Promise<number>): () => Promise<Total> {
  let total: Promise<Total> | undefined;
  return () => {
    total ??= count().then(totalOf);
    return total;
  };
}

/** Creates a page from `found`, which must be read with a limit of one row more than the page size. */
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
