import { createHash } from 'node:crypto';
import type { Rest } from './route.ts';

const description = `The customers and billing accounts of a tenant. This API and the GraphQL API at \`/graphql\` share their rules and data: each reads what the other writes.

Send \`Authorization: Bearer <token>\` with every request, and bodies as \`application/json\`. Unknown fields and query parameters are refused. Responses leave out fields without a value; they never contain \`null\`.

Instants are RFC 3339. \`2024-01-01T00:00:00+0000\` and \`2022-06-04 00:00:00 UTC\` are also accepted, and an instant without an offset is UTC. Percent-encode ids in paths: \`/\` as \`%2F\`, \`+\` as \`%2B\`. An unencoded plus is a plus. Only if no such name ever existed, it is read as a space.

\`Idempotency-Key\` makes a write safe to retry: within 24 hours, the same key with the same input returns the first response with the header \`Idempotent-Replayed: true\`. Every response has an \`X-Request-Id\`: yours, if you sent a valid one.`;

const tags = [
  { name: 'Accounts', description: 'Billing accounts of customers.' },
  { name: 'Aliases', description: 'The names under which usage events can name an account.' },
  { name: 'Authentication', description: 'Short-lived tokens for API keys.' },
  { name: 'Customers', description: 'The companies that buy from the tenant.' },
  { name: 'Settings', description: 'Typed key-values of accounts and customers.' },
];

/** The type of the document lacks `identifier`, which version 3.1 added. */
const license = { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' };

/** Generates the OpenAPI document from the routes and their rules. */
function documentOf(rest: Rest) {
  return rest.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'accountgraph',
      version: '1',
      description,
      contact: { name: 'The operator of this service' },
      license,
    },
    servers: [{ url: '/' }],
    tags,
  });
}

/** Serves the OpenAPI document at `/openapi.json`, without a token. */
export function documentRoutes(rest: Rest): void {
  rest.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description:
      'An API key of the tenant, a token from `POST /authenticate`, or a JWT of the configured issuer.',
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
