import { ForbiddenError } from './errors.ts';

/** The scopes of a token. A write scope includes the read scope. */
export const scopes = [
  'accounts:read',
  'accounts:write',
  'customers:read',
  'customers:write',
  'keys:manage',
  'webhooks:manage',
] as const;

export type Scope = (typeof scopes)[number];

export function allows(given: readonly string[], scope: Scope): boolean {
  return (
    given.includes(scope) || (scope.endsWith(':read') && given.includes(scope.replace(':read', ':write')))
  );
}

/** @throws ForbiddenError if the token lacks the scope */
export function requireScope(viewer: { scopes: readonly string[] }, scope: Scope): true {
  if (!allows(viewer.scopes, scope)) throw new ForbiddenError(scope);
  return true;
}
