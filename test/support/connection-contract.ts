import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import type { Client, Json, Service } from './service.ts';

/** A list that the API exposes as a connection. */
export interface Listing {
  name: string;
  /** Selects the connection as `list`, alone, in `owner` or in `owner` of the viewer, with `connectionFields` and `pageVariables`. */
  document: string;
  /** Creates a tenant whose list is empty. */
  newClient(service: Service): Promise<Client>;
  /** Creates entries with different sort keys and returns their ids in the order of the list. */
  make(service: Service, client: Client, count: number): Promise<string[]>;
  /** Creates entries with equal sort keys and returns their ids in the order of the list. */
  makeTied(service: Service, client: Client, count: number): Promise<string[]>;
  /** Whether the sort key is text, so that a cursor may hold any text. */
  byText?: boolean;
  /** Adds an entry before all others and returns its id. */
  addFirst(client: Client): Promise<string>;
  /** Deletes the rows of entries, even if other rows refer to them. */
  remove(service: Service, client: Client, ids: string[]): Promise<void>;
}

/** Deletes rows of a tenant by the values of a column, without triggers and foreign keys. */
export async function deleteRows(
  { database }: Service,
  { tenantId }: Client,
  { table, column, values }: { table: string; column: string; values: string[] },
): Promise<void> {
  await database.orm.transaction(async (tx) => {
    await tx.execute(sql`set local session_replication_role = replica`);
    await tx.execute(sql`delete from ${sql.identifier(table)} where tenant_id = ${tenantId}
      and ${sql.identifier(column)}::text in (select json_array_elements_text(${JSON.stringify(values)}))`);
  });
}

export const pageVariables = '$first: Int, $after: String, $last: Int, $before: String';
export const pageArguments = 'first: $first, after: $after, last: $last, before: $before';
export const connectionFields = `edges { cursor node { id } } nodes { id }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount`;

interface PageArguments {
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
}

const idsOf = (page: Json): string[] => page.edges.map((edge: Json) => edge.node.id);

/** Returns a cursor like this one with other content, as a client that decodes cursors could. */
function forge(cursor: string, change: (content: Json[]) => unknown): string {
  const content = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  return Buffer.from(JSON.stringify(change(content))).toString('base64url');
}

const forgeries: [string, (cursor: string) => string][] = [
  ['an empty string', () => ''],
  ['a text that is not a cursor', () => 'garbage!'],
  ['white space around a cursor', (cursor) => ` ${cursor}`],
  ['a cursor cut short', (cursor) => cursor.slice(0, -2)],
  ['a cursor twice', (cursor) => cursor + cursor],
  ['U+0000', () => '\u0000'],
  ['half a surrogate pair', () => '\ud800'],
  ['a cursor of JSON that is not a list', (cursor) => forge(cursor, () => ({}))],
  ['a cursor of an empty list', (cursor) => forge(cursor, () => [])],
  ['a cursor of another order', (cursor) => forge(cursor, ([, ...rest]) => ['CREATED_NEVER', ...rest])],
  ['a cursor with one more value', (cursor) => forge(cursor, (content) => [...content, 'x'])],
  ['a cursor with U+0000', (cursor) => forge(cursor, (content) => [...content.slice(0, -1), 'a\u0000b'])],
  [
    'a cursor with a long id',
    (cursor) => forge(cursor, (content) => [...content.slice(0, -1), 'x'.repeat(999)]),
  ],
  ['a cursor with a number', (cursor) => forge(cursor, (content) => [...content.slice(0, -1), 5])],
  ...['', 'now', 'infinity', '2026-01-01', '2026-02-30T00:00:00.000Z', '0000-01-01T00:00:00.000Z'].map(
    (value): [string, (cursor: string) => string] => [
      `a cursor with the instant ${JSON.stringify(value)}`,
      (cursor) => forge(cursor, ([order, , ...rest]) => [order, value, ...rest]),
    ],
  ),
  ...['+010000-01-01T00:00:00.000Z', '-000001-01-01T00:00:00.000Z', "2026-01-01T00:00:00.000Z'"].map(
    (value): [string, (cursor: string) => string] => [
      `a cursor with the instant ${value}`,
      (cursor) => forge(cursor, ([order, , ...rest]) => [order, value, ...rest]),
    ],
  ),
];

const isAboutInstants = ([name]: [string, unknown]) => name.includes('with the instant');

const badArguments: [PageArguments, string, string][] = [
  [{ first: 0 }, 'first', 'TOO_SMALL'],
  [{ first: -1 }, 'first', 'TOO_SMALL'],
  [{ first: 101 }, 'first', 'TOO_LARGE'],
  [{ last: 0 }, 'last', 'TOO_SMALL'],
  [{ last: -1 }, 'last', 'TOO_SMALL'],
  [{ last: 101 }, 'last', 'TOO_LARGE'],
  [{ first: 2 ** 31 - 1 }, 'first', 'TOO_LARGE'],
  [{ first: 1, last: 1 }, 'first', 'INVALID_VALUE'],
];

const listIn = (data: Json): Json => data.list ?? (data.owner ?? data.viewer.owner).list;

function pager(listing: Listing, client: Client) {
  return async (args: PageArguments = {}): Promise<Json> => {
    const { data, errors } = await client.send(listing.document, args);
    if (errors !== undefined) throw new Error(JSON.stringify(errors));
    return listIn(data);
  };
}

/** Walks a whole list in pages, forward or backward, and returns the pages in the order of the walk. */
async function walk(page: ReturnType<typeof pager>, size: number, backward: boolean): Promise<Json[]> {
  const pages: Json[] = [];
  for (let args: PageArguments = backward ? { last: size } : { first: size }; ; ) {
    const current = await page(args);
    pages.push(current);
    const { hasNextPage, hasPreviousPage, startCursor, endCursor } = current.pageInfo;
    if (!(backward ? hasPreviousPage : hasNextPage)) return pages;
    if (pages.length > 20) throw new Error('the walk does not end');
    args = backward ? { last: size, before: startCursor } : { first: size, after: endCursor };
  }
}

function describePages(service: Service, listing: Listing): void {
  it('returns one empty page if the list is empty', async () => {
    const page = pager(listing, await listing.newClient(service));
    const empty = { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null };
    const expected = { edges: [], nodes: [], pageInfo: empty, totalCount: 0 };
    expect(await page()).toEqual(expected);
    expect(await page({ last: 5 })).toEqual(expected);
  });

  it('returns the first 20 of 21 entries by default, and all if the page is large enough', async () => {
    const client = await listing.newClient(service);
    const ids = await listing.make(service, client, 21);
    const page = pager(listing, client);
    expect(idsOf(await page())).toEqual(ids.slice(0, 20));
    expect(idsOf(await page({ first: null, after: null, last: null, before: null }))).toHaveLength(20);
    for (const args of [{ first: 100 }, { last: 100 }]) {
      const all = await page(args);
      expect(idsOf(all)).toEqual(ids);
      expect(all.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: false });
    }
  });

  it('returns each entry once and in one order, forward and backward', async () => {
    const client = await listing.newClient(service);
    const ids = await listing.make(service, client, 7);
    const page = pager(listing, client);
    const forward = await walk(page, 3, false);
    expect(forward.map(idsOf)).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
    const backward = await walk(page, 3, true);
    expect(backward.map(idsOf)).toEqual([ids.slice(4), ids.slice(1, 4), ids.slice(0, 1)]);
  });
}

function describePageInfo(service: Service, listing: Listing): void {
  it('returns a correct pageInfo and totalCount, also if the last page is exactly full', async () => {
    const client = await listing.newClient(service);
    await listing.make(service, client, 4);
    const pages = await walk(pager(listing, client), 2, false);
    expect(
      pages.map(({ pageInfo: { hasNextPage, hasPreviousPage } }) => [hasPreviousPage, hasNextPage]),
    ).toEqual([
      [false, true],
      [true, false],
    ]);
    for (const { edges, nodes, pageInfo, totalCount } of pages) {
      expect(totalCount).toBe(4);
      expect(nodes).toEqual(edges.map((edge: Json) => edge.node));
      expect([pageInfo.startCursor, pageInfo.endCursor]).toEqual([edges[0].cursor, edges.at(-1).cursor]);
    }
  });

  it('returns to the previous page', async () => {
    const client = await listing.newClient(service);
    const ids = await listing.make(service, client, 5);
    const page = pager(listing, client);
    const first = await page({ first: 2 });
    const second = await page({ first: 2, after: first.pageInfo.endCursor });
    const back = await page({ last: 2, before: second.pageInfo.startCursor });
    expect(idsOf(back)).toEqual(ids.slice(0, 2));
    expect(back.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    const beyond = await page({ first: 2, after: (await page({ last: 1 })).pageInfo.endCursor });
    expect(beyond.edges).toEqual([]);
  });
}

function describeEnds(service: Service, listing: Listing): void {
  const sides = ({ pageInfo: { hasPreviousPage, hasNextPage } }: Json) => [hasPreviousPage, hasNextPage];

  it('reports entries beside an empty page after the last or before the first entry', async () => {
    const client = await listing.newClient(service);
    await listing.make(service, client, 2);
    const page = pager(listing, client);
    const { startCursor, endCursor } = (await page()).pageInfo;
    const behind = await page({ first: 2, after: endCursor });
    expect([idsOf(behind), sides(behind)]).toEqual([[], [true, false]]);
    const before = await page({ last: 2, before: startCursor });
    expect([idsOf(before), sides(before)]).toEqual([[], [false, true]]);
  });

  it('counts the entry of a cursor only while it is in the list', async () => {
    const client = await listing.newClient(service);
    const [first = '', , last = ''] = await listing.make(service, client, 3);
    const page = pager(listing, client);
    const { startCursor, endCursor } = (await page()).pageInfo;
    expect(sides(await page({ first: 1, after: startCursor }))).toEqual([true, true]);
    expect(sides(await page({ last: 1, before: endCursor }))).toEqual([true, true]);
    await listing.remove(service, client, [first]);
    expect(sides(await page({ first: 1, after: startCursor }))).toEqual([false, true]);
    expect(sides(await page({ last: 1, before: startCursor }))).toEqual([false, true]);
    await listing.remove(service, client, [last]);
    expect(sides(await page({ last: 1, before: endCursor }))).toEqual([false, false]);
    expect(sides(await page({ first: 1, after: endCursor }))).toEqual([true, false]);
  });

  it('reports no entries on either side of a cursor if the list has become empty', async () => {
    const client = await listing.newClient(service);
    const ids = await listing.makeTied(service, client, 2);
    const page = pager(listing, client);
    const { startCursor, endCursor } = (await page()).pageInfo;
    await listing.remove(service, client, ids);
    for (const cursor of [startCursor, endCursor]) {
      for (const args of [
        { first: 1, after: cursor },
        { last: 1, before: cursor },
      ]) {
        const empty = await page(args);
        expect([idsOf(empty), sides(empty)]).toEqual([[], [false, false]]);
      }
    }
  });

  it('distinguishes the entry of a cursor from entries with the same sort key', async () => {
    const client = await listing.newClient(service);
    const [first = '', second = ''] = await listing.makeTied(service, client, 3);
    const page = pager(listing, client);
    const after = (await page({ first: 2 })).pageInfo.endCursor;
    await listing.remove(service, client, [second]);
    expect(sides(await page({ first: 1, after }))).toEqual([true, false]);
    await listing.remove(service, client, [first]);
    expect(sides(await page({ first: 1, after }))).toEqual([false, false]);
  });

  it('looks for previous entries once, and only if the field is selected', async () => {
    const client = await listing.newClient(service);
    await listing.make(service, client, 3);
    const { startCursor } = (await pager(listing, client)()).pageInfo;
    const count = async (fields: string, args: PageArguments): Promise<number> => {
      const document = listing.document
        .replace('totalCount', '')
        .replace('hasNextPage hasPreviousPage', fields);
      const send = async () => expect((await client.send(document, args)).errors).toBeUndefined();
      await send();
      return (await service.statements(send)).length;
    };
    const least = await count('', { first: 1, after: startCursor });
    expect(await count('hasNextPage', { first: 1, after: startCursor })).toBe(least);
    expect(await count('hasPreviousPage', { first: 1 })).toBe(least);
    expect(await count('hasPreviousPage a: hasPreviousPage', { first: 1, after: startCursor })).toBe(
      least + 1,
    );
  });
}

function describeStability(service: Service, listing: Listing): void {
  it('skips and repeats no entry if one is added between two pages', async () => {
    const client = await listing.newClient(service);
    const ids = await listing.make(service, client, 4);
    const page = pager(listing, client);
    const first = await page({ first: 2 });
    const added = await listing.addFirst(client);
    const second = await page({ first: 5, after: first.pageInfo.endCursor });
    expect([...idsOf(first), ...idsOf(second)]).toEqual(ids);
    expect(idsOf(await page({ last: 5, before: first.pageInfo.startCursor }))).toEqual([added]);
  });

  it.each([1, 3, 10])('orders entries with the same sort key in pages of %i', async (size) => {
    const client = await listing.newClient(service);
    const ids = await listing.makeTied(service, client, 10);
    const page = pager(listing, client);
    expect((await walk(page, size, false)).flatMap(idsOf)).toEqual(ids);
    expect((await walk(page, size, true)).toReversed().flatMap(idsOf)).toEqual(ids);
  });
}

function describeRefusals(service: Service, listing: Listing): void {
  async function expectBadRequest(client: Client, args: PageArguments, path: string, code: string) {
    const { data, errors } = await client.send(listing.document, args);
    // The error of a list makes a nullable parent null.
    expect(Object.values(data ?? {}).filter((value) => value !== null)).toEqual([]);
    expect(errors).toHaveLength(1);
    const issues = [{ path: [path], code, message: expect.stringMatching(/^must /) }];
    expect(errors[0].extensions).toMatchObject({ code: 'BAD_REQUEST', issues });
  }

  const forged = forgeries.filter((forgery) => !listing.byText || !isAboutInstants(forgery));

  it.each(forged)('rejects a changed cursor: %s', async (_, forgery) => {
    const client = await listing.newClient(service);
    await listing.make(service, client, 2);
    const cursor = forgery((await pager(listing, client)()).pageInfo.startCursor);
    await expectBadRequest(client, { first: 1, after: cursor }, 'after', 'INVALID_FORMAT');
    await expectBadRequest(client, { last: 1, before: cursor }, 'before', 'INVALID_FORMAT');
  });

  it.each(badArguments)('rejects %j', async (args, path, code) => {
    await expectBadRequest(await listing.newClient(service), args, path, code);
  });

  it('rejects a cursor of the other direction', async () => {
    const client = await listing.newClient(service);
    await listing.make(service, client, 2);
    const { startCursor } = (await pager(listing, client)()).pageInfo;
    await expectBadRequest(client, { last: 1, after: startCursor }, 'last', 'INVALID_VALUE');
    await expectBadRequest(client, { first: 1, before: startCursor }, 'before', 'INVALID_VALUE');
    await expectBadRequest(client, { after: startCursor, before: startCursor }, 'after', 'INVALID_VALUE');
  });
}

/** Tests what every connection guarantees. */
export function describeConnection(service: Service, listing: Listing): void {
  describe(listing.name, () => {
    describePages(service, listing);
    describePageInfo(service, listing);
    describeEnds(service, listing);
    describeStability(service, listing);
    describeRefusals(service, listing);
  });
}
