import type { Viewer } from '../ctx.ts';
import { RequestError } from '../rest/errors.ts';
import { answer, call, type Rest, type RestOptions } from '../rest/route.ts';
import { z } from '../rest/zod.ts';
import { isApiKey } from '../tenant/api-key.ts';
import { bearerToken } from './authenticate.ts';

const TokenAnswer = z
  .strictObject({ token: z.string().describe('Send it as `Authorization: Bearer <token>`.') })
  .describe('A session token.')
  .openapi('TokenResponse');

const authenticateRoute = call([], {
  method: 'post',
  path: '/authenticate',
  operationId: 'authenticate',
  tags: ['Authentication'],
  summary: 'Get a short-lived token',
  description:
    'Exchanges an API key for a JWT with the same scopes. The JWT expires after 24 hours, or earlier with the API key, and is refused once the key is revoked. If the request has a JWT, it is returned unchanged. The request has no body. A service without a session key returns 503 without `Retry-After`.',
  responses: { 200: answer(TokenAnswer, 'The token.') },
});

/** @throws RequestError if the service has no session key */
function issue({ issueSession }: RestOptions, viewer: Viewer, now: Date): Promise<string> {
  if (issueSession !== undefined) return issueSession(viewer, now);
  throw new RequestError(
    503,
    'SERVICE_UNAVAILABLE',
    'This service has no session key, so it issues no tokens. Send the API key with each request instead.',
  );
}

/** Adds the route that issues tokens. */
export function tenantRoutes(rest: Rest): void {
  rest.openapi(authenticateRoute, async (c) => {
    const { viewer, now } = c.var.ctx;
    const given = bearerToken(c.req.header('authorization') ?? null) ?? '';
    const token = isApiKey(given) ? await issue(c.var.options, viewer, now) : given;
    return c.json({ token }, 200, { 'cache-control': 'no-store' });
  });
}
