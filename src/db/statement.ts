import type { Query } from 'drizzle-orm';
import type { PgDatabase } from 'drizzle-orm/pg-core';
import type { PostgresJsQueryResultHKT } from 'drizzle-orm/postgres-js';
import { requireTenant } from './tenancy/guard.ts';

export type Orm = PgDatabase<PostgresJsQueryResultHKT, Record<string, never>>;

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
 * A statement whose text never changes: it is prepared once per connection, and its values are named placeholders.
 * A database refuses another statement with the same name.
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

/** Returns a function that makes each statement of a family on its first use. The name must determine the text. */
export function statementFamily(): <Answer>(
  name: string,
  build: (orm: Orm) => Preparable<Answer>,
) => Statement<Answer> {
  const made = new Map<string, Statement<unknown>>();
  return <Answer>(name: string, build: (orm: Orm) => Preparable<Answer>) => {
    const known = made.get(name) as Statement<Answer> | undefined;
    if (known !== undefined) return known;
    const fresh = statement(name, build);
    made.set(name, fresh as Statement<unknown>);
    return fresh;
  };
}
