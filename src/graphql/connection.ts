import type { ListPage } from '../lib/page.ts';

/** A page as Relay's connections show it. */
export function toConnection<Row>({ rows, cursorOf, count, hasNextPage, hasPreviousPage }: ListPage<Row>) {
  const edges = rows.map((node) => ({ cursor: cursorOf(node), node }));
  return {
    edges,
    count,
    pageInfo: {
      hasNextPage,
      hasPreviousPage,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
