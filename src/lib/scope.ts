import { ForbiddenError } from './errors.ts';

/** What a token may do. Who may write may also read. */
export const scopes = [
  'accounts:read',
  'accounts:write',
  'customers:read',
  'customers:write',
  'keys:manage',
] as const;

export type Scope = (typeof scopes)[number];

export function allows(given: readonly string[], scope: Scope): boolean {
  return (
    given.includes(scope) || (scope.endsWith(':read') && given.includes(scope.replace(':read', ':write')))
  );
}

/** Throws ForbiddenError when the token's scopes do not allow this. */
export function requireScope(viewer: { scopes: readonly string[] }, scope: Scope): true {
  if (!allows(viewer.scopes, scope)) throw new ForbiddenError(scope);
  return true;
}
