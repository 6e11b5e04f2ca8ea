import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { isLoopback } from '../lib/loopback.ts';

export interface GraphiqlTab {
  query: string;
  variables?: string;
}

export interface GraphiqlOptions {
  tabs: GraphiqlTab[];
  /** The bearer token that the tabs begin with. */
  token: string | undefined;
}

interface Page {
  html: string;
  gzipped: Uint8Array<ArrayBuffer>;
  etag: string;
}

/** GraphiQL shows the variables of its first tab only when they are in its storage, as they are after a visit. */
function firstVisit({ query, variables = '' }: GraphiqlTab): string {
  const stored = JSON.stringify({ query, variables }).replaceAll('<', '\\u003c');
  return `<script>
        if (localStorage.getItem('graphiql:tabState') === null)
          for (const [name, value] of Object.entries(${stored})) localStorage.setItem('graphiql:' + name, value);
      </script>`;
}

async function render({ tabs, token }: GraphiqlOptions): Promise<string> {
  // Its page takes a tenth of a start to load.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const headers = JSON.stringify({ Authorization: `Bearer ${token ?? '<your API key>'}` }, null, 2);
  const html = renderGraphiQL({
    title: 'accountgraph',
    headers,
    defaultTabs: tabs.map((tab) => ({ ...tab, headers })),
    shouldPersistHeaders: false,
  });
  const root = '<div id="root"></div>';
  const [first] = tabs;
  return first === undefined ? html : html.replace(root, () => `${root}\n      ${firstVisit(first)}`);
}

async function build(options: GraphiqlOptions): Promise<Page> {
  const html = await render(options);
  const gzipped = new Uint8Array(await promisify(gzip)(html));
  // Weak: the same tag stands for the page and for its compressed form.
  return { html, gzipped, etag: `W/"${createHash('sha256').update(html).digest('base64url')}"` };
}

/** The page is one file with its scripts and styles inside, and talks to nobody but this service. */
const policy = [
  "default-src 'none'",
  "script-src 'unsafe-inline' blob:",
  "style-src 'unsafe-inline'",
  'img-src data:',
  'font-src data:',
  "connect-src 'self'",
  'worker-src blob: data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function answer(request: Request, { html, gzipped, etag }: Page): Response {
  const headers: Record<string, string> = {
    etag,
    'cache-control': 'private, no-cache',
    'content-security-policy': policy,
    vary: 'accept, accept-encoding',
  };
  if (request.headers.get('if-none-match')?.includes(etag))
    return new Response(null, { status: 304, headers });
  headers['content-type'] = 'text/html; charset=utf-8';
  if (!/\bgzip\b/.test(request.headers.get('accept-encoding') ?? '')) return new Response(html, { headers });
  return new Response(gzipped, { headers: { ...headers, 'content-encoding': 'gzip' } });
}

/**
 * Answers with the GraphiQL page, which needs no other host. It is 9 MB, so it is built once, compressed and revalidated.
 * Under another name than this machine's own it holds no token: a foreign site may have bound its name to 127.0.0.1.
 */
export function createGraphiql(options: GraphiqlOptions): (request: Request) => Promise<Response> {
  const pages = new Map<string | undefined, Promise<Page>>();
  return async (request) => {
    const token = isLoopback(new URL(request.url).hostname.replace(/^\[|\]$/g, ''))
      ? options.token
      : undefined;
    const page = pages.get(token) ?? build({ ...options, token });
    pages.set(token, page);
    return answer(request, await page);
  };
}

export function wantsPage(request: Request): boolean {
  return request.method === 'GET' && (request.headers.get('accept') ?? '').includes('text/html');
}
