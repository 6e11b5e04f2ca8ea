import type { ListPage } from '../lib/page.ts';

/**
 * Returns a page as a Relay connection. Cursors are plain properties: V8 keeps what getters reach until its next full
 * collection.
 */
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
