import type { ListPage } from '../lib/page.ts';

/** A page as Relay's connections show it. Cursors are made where they are asked for. */
export function toConnection<Row>({ rows, cursorOf, count, hasNextPage, hasPreviousPage }: ListPage<Row>) {
  const edges = rows.map((node) => ({
    get cursor() {
      return cursorOf(node);
    },
    node,
  }));
  return {
    edges,
    count,
    pageInfo: {
      hasNextPage,
      hasPreviousPage,
      get startCursor() {
        return edges.at(0)?.cursor ?? null;
      },
      get endCursor() {
        return edges.at(-1)?.cursor ?? null;
      },
    },
  };
}
