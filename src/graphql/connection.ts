import type { ListPage } from '../lib/page.ts';

/**
 * Returns a page as a Relay connection. Cursors are plain properties: V8 keeps what getters reach until its next full
 * collection.
 */
export function toConnection<Row>(page: ListPage<Row>) {
  const { rows, cursorOf, count, backward, hasMore, hasRowsBehind } = page;
  // graphql-js calls a function in place of a value, so rows behind the page are looked up only for a client that asks.
  const isBehind = hasRowsBehind as unknown as boolean;
  const edges = rows.map((node) => ({ cursor: cursorOf(node), node }));
  return {
    edges,
    count,
    pageInfo: {
      hasNextPage: backward ? isBehind : hasMore,
      hasPreviousPage: backward ? hasMore : isBehind,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
