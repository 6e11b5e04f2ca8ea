import type { Query } from 'drizzle-orm';
import type { PgDatabase } from 'drizzle-orm/pg-core';
import type { PostgresJsQueryResultHKT } from 'drizzle-orm/postgres-js';
import { requireTenant } from './tenancy/guard.ts';

export type Orm = PgDatabase<PostgresJsQueryResultHKT, Record<string, never>>;

/** Calls the function that sends a statement, for example after setting a signal. */
export type Begin = <T>(send: () => T) => T;

interface Prepared<Answer> {
  getQuery(): Query;
  /** Checks a new text before it is sent. */
  execute(values?: Record<string, unknown>, begin?: Begin): Promise<Answer>;
}

export interface Preparable<Answer> {
  prepare(name: string): Prepared<Answer>;
}

/**
 * A statement with a constant text and named placeholders, prepared once per connection. A database rejects another
 * statement with the same name.
 */
export interface Statement<Answer> {
  name: string;
  build(orm: Orm): Preparable<Answer>;
}

interface StatementOptions {
  /** Why the statement may access rows of several tenants. */
  acrossTenants?: string;
}

/** Defines a statement. Without `acrossTenants`, it is rejected if its text can access rows of other tenants. */
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

/** Returns a function that defines each statement of a family on first use. The name must determine the text. */
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
