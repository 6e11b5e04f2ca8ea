import type { Query } from 'drizzle-orm';
import type { Orm } from './client.ts';
import { requireTenant } from './guard.ts';

interface Prepared<Answer> {
  getQuery(): Query;
  execute(values?: Record<string, unknown>): Promise<Answer>;
}

export interface Preparable<Answer> {
  prepare(name: string): Prepared<Answer>;
}

/**
 * A statement whose text never changes: prepared once per connection, its values come as named placeholders.
 * The name stands for the text: two statements of one name must be the same.
 */
export interface Statement<Answer> {
  name: string;
  build(orm: Orm): Preparable<Answer>;
}

interface StatementOptions {
  /** Why the statement may touch rows of several tenants. */
  acrossTenants?: string;
}

/** Makes a statement. Unless it says why not, its text is refused when it touches rows that are not its tenant's alone. */
export function statement<Answer>(
  name: string,
  build: (orm: Orm) => Preparable<Answer>,
  { acrossTenants }: StatementOptions = {},
): Statement<Answer> {
  if (acrossTenants !== undefined) return { name, build };
  const good = new Set<string>();
  async function check(query: Query): Promise<void> {
    await requireTenant(name, query);
    good.add(query.sql);
  }
  return {
    name,
    build(orm) {
      const query = build(orm);
      return {
        prepare(preparedName) {
          const prepared = query.prepare(preparedName);
          const { sql } = prepared.getQuery();
          return {
            getQuery: () => prepared.getQuery(),
            execute: (values) =>
              good.has(sql)
                ? prepared.execute(values)
                : check(prepared.getQuery()).then(() => prepared.execute(values)),
          };
        },
      };
    },
  };
}
