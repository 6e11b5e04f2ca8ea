import { createHash } from 'node:crypto';
import { InvalidInputError } from '../lib/errors.ts';
import { defaultPageSize, type ListPage, maxPageSize, pageSize } from '../lib/page.ts';
import { issuesOf } from '../lib/wording.ts';
import { z } from './zod.ts';

/** Creates the query parameter for the size of a page. */
export const pageSizeOf = (usual: number) =>
  z.coerce
    .number<string>()
    .pipe(pageSize)
    .optional()
    .describe(`The maximum number of entries in a page. Default: ${usual}.`)
    .openapi({ type: 'integer', minimum: 1, maximum: maxPageSize });

/** Query parameters of every list, besides its filter. */
export const pageQuery = {
  pageSize: pageSizeOf(defaultPageSize),
  nextToken: z
    .string()
    .optional()
    .describe(
      'The `nextToken` of the previous page. It includes the filter and the order, so it needs no other parameter.',
    ),
};

/** The query of a list. Parameters other than these two are its filter. */
export interface ListQuery {
  pageSize?: number | undefined;
  nextToken?: string | undefined;
  [condition: string]: string | number | undefined;
}

/** The most entries of a page that no `pageSize` limits. Some clients cannot request another page. */
export const maxUnlimitedSize = 1000;

/** The content of a page token: list, filter, page size and cursor. */
const tokenContent = z.tuple([
  z.string(),
  z.record(z.string(), z.string()),
  z.int().min(1).max(maxUnlimitedSize),
  z.string(),
]);

const checksumLength = 8;

function checksum(content: string): string {
  return createHash('sha256').update(content).digest('base64url').slice(0, checksumLength);
}

function encodeToken(content: z.infer<typeof tokenContent>): string {
  const json = JSON.stringify(content);
  return Buffer.from(checksum(json) + json).toString('base64url');
}

function brokenToken(message: string): InvalidInputError {
  return new InvalidInputError([{ path: ['nextToken'], code: 'INVALID_FORMAT', message }]);
}

function contentOf(token: string): z.infer<typeof tokenContent> | undefined {
  try {
    const json = Buffer.from(token, 'base64url').toString().slice(checksumLength);
    const content = tokenContent.parse(JSON.parse(json));
    return encodeToken(content) === token ? content : undefined;
  } catch {
    return undefined;
  }
}

function decodeToken(list: string, token: string): z.infer<typeof tokenContent> {
  const content = contentOf(token);
  if (content?.[0] === list) return content;
  throw brokenToken('must be the complete nextToken of a page of this list');
}

type Filter = Record<string, string>;

/** A requested page of a list. */
export interface AskedPage {
  list: string;
  /** The filter as the first query spelled it. */
  filter: Filter;
  size: number;
  /** The cursor before the page. Undefined for the first page. */
  after: string | undefined;
}

/** Reads which page a query requests. A token includes its filter; the query can repeat it, but not change it. */
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
    throw brokenToken('must not be combined with another filter than the one that it includes');
  }
  return { list, filter: carried, size: pageSize ?? size, after };
}

/** Parses the filter of a page. It is checked again because it can come from a token. */
export function parsedFilter<T>(rule: z.ZodType<T>, { filter }: AskedPage): T {
  const parsed = rule.safeParse(filter);
  if (parsed.success) return parsed.data;
  throw new InvalidInputError(issuesOf(parsed.error));
}

/** Returns the token of the next page, or nothing on the last page. */
export function nextPage<Row>(
  { list, filter, size }: AskedPage,
  page: ReadPage<Row>,
): { nextToken?: string } {
  const last = page.rows.at(-1);
  return page.hasMore && last ? { nextToken: encodeToken([list, filter, size, page.cursorOf(last)]) } : {};
}

export type ReadPage<Row> = Pick<ListPage<Row>, 'rows' | 'hasMore' | 'cursorOf'>;

/** Returns the response body of a page. */
export function pageAnswer<Row, T>(
  asked: AskedPage,
  sortOrder: 'ASC' | 'DESC',
  data: T[],
  page: ReadPage<Row>,
) {
  return { data, ...nextPage(asked, page), context: { pageSize: asked.size, sortOrder } };
}

export const nextToken = z.string().optional().describe('Requests the next page. Absent on the last page.');

/** Creates the schema of a page. */
export function pageOf<T extends z.ZodType>(entry: T, name: string) {
  return z
    .strictObject({
      data: z.array(entry).describe('The entries of this page.'),
      nextToken,
      context: z
        .strictObject({
          pageSize: pageSize.describe('The maximum number of entries in a page.'),
          sortOrder: z.enum(['ASC', 'DESC']).optional().describe('The direction of the order.'),
        })
        .describe('How the list is paged.'),
    })
    .describe('One page of a list.')
    .openapi(name);
}
