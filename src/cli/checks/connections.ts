import { sql } from 'drizzle-orm';
import type { Database } from '../../db/client.ts';
import { countOf } from '../../lib/wording.ts';
import { type Check, ok, problem, warning } from './check.ts';

/** A limit on connections, and how many of them are open, without that of the check. */
interface Limit extends Record<string, unknown> {
  name: string;
  /** Negative if there is no limit. */
  connections: number;
  used: number;
  /** Connections of services with the same database. */
  ours: number;
}

const name = 'connections';
const advice =
  'Lower DATABASE_POOL_SIZE, raise the limit, or put a pooler such as PgBouncer before the database.';

/** Returns how many replicas fit into the limits of the server, the database and the role. */
export async function checkConnections({ orm }: Database, poolSize: number): Promise<Check> {
  const limits = await orm.execute<Limit>(sql`
    with sessions as (
      select datname = current_database() as in_database, usename = current_user as of_role,
        datname = current_database() and application_name = 'accountgraph' as ours
      from pg_stat_activity
      where usename is not null and pid <> pg_backend_pid() and coalesce(backend_type, 'client backend') = 'client backend'
    ), used as (
      select count(*)::integer as server, count(*) filter (where in_database)::integer as database,
        count(*) filter (where of_role)::integer as role, count(*) filter (where ours)::integer as ours
      from sessions)
    select 'server' as name, used.server as used, used.ours, current_setting('max_connections')::integer
      - current_setting('superuser_reserved_connections')::integer
      - coalesce(current_setting('reserved_connections', true)::integer, 0) as connections from used
    union all select 'database', used.database, used.ours, datconnlimit
      from used, pg_database where datname = current_database()
    union all select 'role', used.role, used.ours, rolconnlimit from used, pg_roles where rolname = current_user`);
  return explainLimits(limits, poolSize);
}

/** Returns how many replicas fit into the narrowest limit. */
export function explainLimits(limits: readonly Limit[], poolSize: number): Check {
  const free = (limit: Limit) => Math.max(0, limit.connections - limit.used);
  const [narrowest] = limits
    .filter(({ connections }) => connections >= 0)
    .toSorted((one, other) => free(one) - free(other));
  if (narrowest === undefined) return ok(name, 'The number of connections is unlimited.');
  const count = Math.floor(free(narrowest) / poolSize);
  const message = `The ${narrowest.name} has ${free(narrowest)} of ${countOf(narrowest.connections, 'connection')} free.`;
  const size = `DATABASE_POOL_SIZE=${poolSize}`;
  if (count > 0) return ok(name, `${message} With ${size}, ${countOf(count, 'more replica')} can start.`);
  if (free(narrowest) + narrowest.ours >= poolSize) {
    return warning(name, `${message} With ${size}, no more replicas can start.`, advice);
  }
  return problem(name, `${message} The pool of a replica, ${size}, does not fit.`, advice);
}
