import { createHash } from 'node:crypto';
import type { Rest } from './route.ts';

const description = `The customers and billing accounts of a tenant, for programs that speak REST. It is the same service as the GraphQL API at \`/graphql\`: the same rules, and what one of them writes the other one reads.

Send \`Authorization: Bearer <token>\` with every call, and a body as \`application/json\`. Fields and query parameters that are not in this document are refused. A field that holds nothing is left out of an answer; there is no \`null\`.

Instants are RFC 3339; \`2024-01-01T00:00:00+0000\` and \`2022-06-04 00:00:00 UTC\` are taken, too, and one without an offset is UTC. An id in a path is percent-encoded: \`/\` as \`%2F\`, \`+\` as \`%2B\`. A plus that is not encoded is a plus, unless no such name ever existed: then it is read as a space.

\`Idempotency-Key\` makes a write safe to send again: within 24 hours the same key with the same input gets the first answer, with the header \`Idempotent-Replayed: true\`. Every answer has an \`X-Request-Id\`: yours, if you sent one.`;

/** The OpenAPI document of the calls that are there, made of the rules they apply. */
function documentOf(rest: Rest) {
  return rest.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'accountgraph', version: '1', description },
    servers: [{ url: '/' }],
  });
}

/** Offers the document at `/openapi.json`, to everyone. */
export function documentRoutes(rest: Rest): void {
  rest.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key of the tenant, or the token that `/authenticate` makes of one.',
  });
  let made: { json: string; etag: string } | undefined;
  rest.get('/openapi.json', (c) => {
    made ??= withTag(JSON.stringify(documentOf(rest)));
    const { json, etag } = made;
    const headers = { etag, 'cache-control': 'no-cache' };
    if (c.req.header('if-none-match')?.includes(etag)) return c.body(null, 304, headers);
    return c.body(json, 200, { ...headers, 'content-type': 'application/json' });
  });
}

function withTag(json: string) {
  return { json, etag: `"${createHash('sha256').update(json).digest('base64url')}"` };
}
