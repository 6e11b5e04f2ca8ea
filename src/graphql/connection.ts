import type { ListPage } from '../lib/page.ts';

/**
 * A page as Relay's connections show it. No cursor is a getter: with an object that has getters of its own, V8 keeps all they
 * reach until its next full collection, here half of what was kept of pages.
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
