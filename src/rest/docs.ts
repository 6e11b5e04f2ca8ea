import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { acceptsGzip } from '../http/compression.ts';
import type { Rest, RestContext } from './route.ts';

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>accountgraph REST API</title>
    <link rel="icon" href="docs/favicon-32x32.png">
    <link rel="stylesheet" href="docs/swagger-ui.css">
  </head>
  <body>
    <div id="reference"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`;

const start = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;

/** Allows only resources of this service and no inline scripts. Swagger UI needs inline styles. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface File {
  type: string;
  read(): string | Promise<Buffer>;
}

/** The build copies Swagger UI there. The path from the source is the same as the path from the bundle. */
const swaggerUi = new URL('../../dist/swagger-ui/', import.meta.url);

function vendored(name: string): () => Promise<Buffer> {
  return () => readFile(new URL(name, swaggerUi));
}

const files: Record<string, File> = {
  '/docs': { type: 'text/html; charset=utf-8', read: () => page },
  '/docs/start.js': { type: 'text/javascript; charset=utf-8', read: () => start },
  '/docs/swagger-ui-bundle.js': {
    type: 'text/javascript; charset=utf-8',
    read: vendored('swagger-ui-bundle.js'),
  },
  '/docs/swagger-ui.css': { type: 'text/css; charset=utf-8', read: vendored('swagger-ui.css') },
  '/docs/favicon-32x32.png': { type: 'image/png', read: vendored('favicon-32x32.png') },
};

interface Ready {
  plain: Uint8Array<ArrayBuffer>;
  gzipped: Uint8Array<ArrayBuffer>;
  etag: string;
}

async function prepare({ read }: File): Promise<Ready> {
  const plain = Uint8Array.from(Buffer.from(await read()));
  const gzipped = Uint8Array.from(await promisify<Uint8Array, Buffer>(gzip)(plain));
  // Weak, because the file and its compressed form share the tag.
  return { plain, gzipped, etag: `W/"${createHash('sha256').update(plain).digest('base64url')}"` };
}

function answer(c: RestContext, type: string, { plain, gzipped, etag }: Ready): Response {
  const headers = {
    etag,
    'cache-control': 'no-cache',
    vary: 'accept-encoding',
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
  };
  if (c.req.header('if-none-match')?.includes(etag)) return c.body(null, 304, headers);
  if (!acceptsGzip(c.req.header('accept-encoding'))) {
    return c.body(plain, 200, { ...headers, 'content-type': type });
  }
  return c.body(gzipped, 200, { ...headers, 'content-type': type, 'content-encoding': 'gzip' });
}

/** Serves Swagger UI at `/docs`, without resources of other hosts. */
export function docsRoutes(rest: Rest): void {
  const ready = new Map<string, Promise<Ready>>();
  for (const [path, file] of Object.entries(files)) {
    rest.get(path, async (c) => {
      const known = ready.get(path) ?? prepare(file);
      ready.set(path, known);
      return answer(c, file.type, await known);
    });
  }
}
