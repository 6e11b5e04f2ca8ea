import type { Query } from 'drizzle-orm';
import type { Orm } from './client.ts';
import { requireTenant } from './guard.ts';

/** Calls what sends a statement; whatever must hold while it is called can be set up around it. */
export type Begin = <T>(send: () => T) => T;

interface Prepared<Answer> {
  getQuery(): Query;
  /** A statement whose text is new is checked before it begins. */
  execute(values?: Record<string, unknown>, begin?: Begin): Promise<Answer>;
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
  const good = new Set<string>();
  async function check(query: Query): Promise<void> {
    if (acrossTenants === undefined) await requireTenant(name, query);
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
            execute: (values, begin = (send) => send()) =>
              good.has(sql)
                ? begin(() => prepared.execute(values))
                : check(prepared.getQuery()).then(() => begin(() => prepared.execute(values))),
          };
        },
      };
    },
  };
}
