import type { ListPage } from '../lib/page.ts';

/**
 * Returns a page as a Relay connection. Cursors are plain properties, because V8 frees the objects that getters
 * reference only in a full collection.
 */
export function toConnection<Row>(page: ListPage<Row>) {
  const { rows, cursorOf, count, backward, hasMore, hasRowsBehind } = page;
  // graphql-js calls functions, so rows behind the page are looked up only if the field is selected.
  const isBehind = hasRowsBehind as unknown as boolean;
  const edges = rows.map((node) => ({ cursor: cursorOf(node), node }));
  return {
    edges,
    total: count,
    pageInfo: {
      hasNextPage: backward ? isBehind : hasMore,
      hasPreviousPage: backward ? hasMore : isBehind,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
