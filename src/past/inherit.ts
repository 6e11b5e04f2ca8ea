import type { Ctx } from '../ctx.ts';
import { type TenantTerms, tenantAt } from '../tenant/read.ts';
import type { AnyTime } from './read.ts';

/** Returns a value of an account, or the one that it inherits from the tenant at the same instant. */
export function orInherited<Key extends keyof TenantTerms>(
  ctx: Ctx,
  { asOf }: AnyTime<object>,
  own: TenantTerms[Key] | null,
  key: Key,
): TenantTerms[Key] | Promise<TenantTerms[Key]> {
  if (own !== null) return own;
  return asOf === undefined ? ctx.viewer.tenant[key] : tenantAt(ctx, asOf).then((terms) => terms[key]);
}
