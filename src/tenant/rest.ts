import { answer, call, type Rest } from '../rest/route.ts';
import { z } from '../rest/zod.ts';
import { bearerToken } from './authenticate.ts';
import { issueSession } from './session.ts';
import { isApiKey } from './token.ts';

const TokenAnswer = z
  .strictObject({ token: z.string().describe('To be sent as `Authorization: Bearer <token>`.') })
  .describe('A token.')
  .openapi('TokenResponse');

const authenticateRoute = call([], {
  method: 'post',
  path: '/authenticate',
  operationId: 'authenticate',
  tags: ['Authentication'],
  summary: 'Get a short-lived token',
  description:
    'Makes a JWT of an API key: it may do what the key may, is good for 24 hours, and ends with the key, also when that is revoked. A JWT gets itself back. There is no body.',
  responses: { 200: answer(TokenAnswer, 'The token.') },
});

/** The call that makes tokens. */
export function tenantRoutes(rest: Rest): void {
  rest.openapi(authenticateRoute, async (c) => {
    const { viewer, now } = c.var.ctx;
    const given = bearerToken(c.req.header('authorization') ?? null) ?? '';
    const token = isApiKey(given) ? await issueSession(given, viewer, now) : given;
    return c.json({ token }, 200, { 'cache-control': 'no-store' });
  });
}
