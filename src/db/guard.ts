import { Param, Placeholder, type Query } from 'drizzle-orm';
import { unrestricted } from './guard-check.ts';

/** A statement could read or write what is not its tenant's: a bug, found before PostgreSQL sees the statement. */
export class UnrestrictedError extends Error {
  override name = 'UnrestrictedError';
}

/** The numbers of the parameters that hold the tenant of the request. */
function tenantParams({ params }: Query): Set<number> {
  const numbers = params.flatMap((param, index) => {
    const value = param instanceof Param ? param.value : param;
    return value instanceof Placeholder && value.name === 'tenantId' ? [index + 1] : [];
  });
  return new Set(numbers);
}

/** Names what of a statement is not restricted to its tenant. PostgreSQL's own parser, loaded with the first one, reads it. */
export async function unrestrictedIn(query: Query): Promise<string[]> {
  const { loadModule, parseSync } = await import('libpg-query');
  await loadModule();
  return unrestricted(parseSync(query.sql), tenantParams(query));
}

/**
 * The second wall between tenants: refuses a statement of which a table, in a sub-query too, is not restricted by
 * `tenant_id = <the tenant of the request>`. Throws UnrestrictedError.
 */
export async function requireTenant(name: string, query: Query): Promise<void> {
  const problems = await unrestrictedIn(query);
  if (problems.length === 0) return;
  throw new UnrestrictedError(`The statement ${name} is not kept to its tenant: ${problems.join(', ')}.`);
}
