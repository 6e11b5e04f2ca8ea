import { createHash } from 'node:crypto';
import { InvalidInputError } from '../lib/errors.ts';
import { defaultPageSize, type ListPage, pageSize } from '../lib/page.ts';
import { issuesOf } from '../lib/wording.ts';
import { z } from './zod.ts';

/** What every list takes beside its filter. */
export const pageQuery = {
  pageSize: z.coerce
    .number<string>()
    .pipe(pageSize)
    .optional()
    .describe(`How many entries a page has at most; ${defaultPageSize} when it is left out.`)
    .openapi({ type: 'integer' }),
  nextToken: z
    .string()
    .optional()
    .describe(
      'What the page before gave as its `nextToken`. Enough alone: it carries the filter and the order.',
    ),
};

/** A query of a list: all but the two are its filter. */
export interface ListQuery {
  pageSize?: number | undefined;
  nextToken?: string | undefined;
  [condition: string]: string | number | undefined;
}

/** What a token carries: the list and its filter, the size of its pages, and where it goes on. */
const tokenContent = z.tuple([z.string(), z.record(z.string(), z.string()), pageSize, z.string()]);

function checksum(content: string): string {
  return createHash('sha256').update(content).digest('base64url').slice(0, 8);
}

function encodeToken(content: z.infer<typeof tokenContent>): string {
  const json = JSON.stringify(content);
  return Buffer.from(checksum(json) + json).toString('base64url');
}

function brokenToken(message: string): InvalidInputError {
  return new InvalidInputError([{ path: ['nextToken'], code: 'INVALID_FORMAT', message }]);
}

function decodeToken(list: string, token: string): z.infer<typeof tokenContent> {
  const text = Buffer.from(token, 'base64url').toString();
  const [sum, json] = [text.slice(0, 8), text.slice(8)];
  const whole = Buffer.from(text).toString('base64url') === token && checksum(json) === sum;
  const content = whole ? tokenContent.safeParse(JSON.parse(json)).data : undefined;
  if (content?.[0] === list) return content;
  throw brokenToken('must be what a page of this list gave you as its nextToken, whole');
}

type Filter = Record<string, string>;

/** One page of a list, as a query asks for it. */
export interface AskedPage {
  list: string;
  /** The filter as it was written in the first query. */
  filter: Filter;
  size: number;
  /** Where the page begins; undefined at the beginning of the list. */
  after: string | undefined;
}

/** Reads which page is asked for: a token brings its filter along, and no other may stand beside it. */
export function askedPage(
  list: string,
  { pageSize, nextToken, ...conditions }: ListQuery,
  usualSize = defaultPageSize,
): AskedPage {
  const given = Object.entries(conditions).filter(([, value]) => value !== undefined);
  const filter = Object.fromEntries(given) as Filter;
  if (nextToken === undefined) return { list, filter, size: pageSize ?? usualSize, after: undefined };
  const [, carried, size, after] = decodeToken(list, nextToken);
  if (Object.entries(filter).some(([name, value]) => carried[name] !== value)) {
    throw brokenToken('must not stand beside another filter than the one that it carries');
  }
  return { list, filter: carried, size: pageSize ?? size, after };
}

/** The filter of a page, checked again: it may come out of a token. */
export function parsedFilter<T>(rule: z.ZodType<T>, { filter }: AskedPage): T {
  const parsed = rule.safeParse(filter);
  if (parsed.success) return parsed.data;
  throw new InvalidInputError(issuesOf(parsed.error));
}

/** What asks for the page after this one; nothing on the last. */
export function nextPage<Row>(
  { list, filter, size }: AskedPage,
  page: ReadPage<Row>,
): { nextToken?: string } {
  const last = page.rows.at(-1);
  return page.hasMore && last ? { nextToken: encodeToken([list, filter, size, page.cursorOf(last)]) } : {};
}

export type ReadPage<Row> = Pick<ListPage<Row>, 'rows' | 'hasMore' | 'cursorOf'>;

/** A page as the facade shows it. */
export function pageAnswer<Row, T>(
  asked: AskedPage,
  sortOrder: 'ASC' | 'DESC',
  data: T[],
  page: ReadPage<Row>,
) {
  return { data, ...nextPage(asked, page), context: { pageSize: asked.size, sortOrder } };
}

export const nextToken = z.string().optional().describe('Asks for the next page; left out on the last one.');

/** The schema of a page. */
export function pageOf<T extends z.ZodType>(entry: T, name: string) {
  return z
    .strictObject({
      data: z.array(entry).describe('The entries of this page.'),
      nextToken,
      context: z
        .strictObject({
          pageSize: pageSize.describe('How many entries a page has at most.'),
          sortOrder: z.enum(['ASC', 'DESC']).optional().describe('The direction of the order.'),
        })
        .describe('How the list is walked.'),
    })
    .describe('One page of a list.')
    .openapi(name);
}
