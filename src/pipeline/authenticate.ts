import type { GraphQLError } from 'graphql';
import type { Caller, Viewer } from '../ctx.ts';
import { createCancel } from '../lib/cancel.ts';
import type { Exchange } from './exchange.ts';
import { requestError } from './request-error.ts';

/** Looks up the viewer of an `Authorization` header; undefined for an invalid token. */
export type FindViewer = (authorization: string | null) => Promise<Viewer | undefined>;

function unauthenticated(): GraphQLError {
  const message = 'Missing or invalid token. Send the header `Authorization: Bearer <your API key>`.';
  return requestError('UNAUTHENTICATED', message, 401, { 'www-authenticate': 'Bearer' });
}

/** Returns the caller of a request. Throws UNAUTHENTICATED without a valid token. */
export async function authenticate(findViewer: FindViewer, exchange: Exchange): Promise<Caller> {
  const authorization = exchange.header('authorization') ?? null;
  const renew = () => findViewer(authorization);
  const viewer = await renew();
  if (viewer === undefined) throw unauthenticated();
  const lastEventId = exchange.header('last-event-id') || undefined;
  return {
    viewer,
    renew,
    lastEventId,
    requestId: exchange.requestId,
    now: new Date(),
    cancel: createCancel(),
  };
}
