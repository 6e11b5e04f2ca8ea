import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import Negotiator from 'negotiator';
import { acceptsGzip } from '../http/compression.ts';
import { isLoopback } from '../lib/loopback.ts';
import { maxAcceptBytes } from './negotiate.ts';
import type { Answer } from './respond.ts';

export interface GraphiqlTab {
  query: string;
  variables?: string;
}

export interface GraphiqlOptions {
  tabs: GraphiqlTab[];
  /** The bearer token in the tabs. */
  token: string | undefined;
}

interface Page {
  html: string;
  gzipped: Buffer;
  etag: string;
}

/** Fills GraphiQL's storage, the only source of the variables of its first tab. */
function firstVisit({ query, variables = '' }: GraphiqlTab): string {
  const stored = JSON.stringify({ query, variables }).replaceAll('<', '\\u003c');
  return `<script>
        if (localStorage.getItem('graphiql:tabState') === null)
          for (const [name, value] of Object.entries(${stored})) localStorage.setItem('graphiql:' + name, value);
      </script>`;
}

async function render({ tabs, token }: GraphiqlOptions): Promise<string> {
  // Loaded on first use, because the page is large.
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
  const gzipped = await promisify<string, Buffer>(gzip as never)(html);
  // Weak, because the compressed page has the same tag.
  return { html, gzipped, etag: `W/"${createHash('sha256').update(html).digest('base64url')}"` };
}

/** The page has its scripts and styles inline, and connects only to this service. */
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

function answerTo({ headers: asked }: IncomingMessage, { html, gzipped, etag }: Page): Answer {
  const headers: Record<string, string> = {
    etag,
    'cache-control': 'private, no-cache',
    'content-security-policy': policy,
    vary: 'accept, accept-encoding',
  };
  if (asked['if-none-match']?.includes(etag)) return { status: 304, headers, body: '' };
  headers['content-type'] = 'text/html; charset=utf-8';
  if (!acceptsGzip(asked['accept-encoding'] as string | undefined))
    return { status: 200, headers, body: html };
  return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: gzipped };
}

function hostNameOf({ headers: { host = '' } }: IncomingMessage): string {
  return new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, '');
}

/**
 * Returns the GraphiQL page, which loads nothing from other hosts. It is large, so it is built once, compressed and
 * revalidated. On a host that is not loopback, it has no token: another site may have bound its name to 127.0.0.1.
 */
export function createGraphiql(options: GraphiqlOptions): (request: IncomingMessage) => Promise<Answer> {
  const pages = new Map<string | undefined, Promise<Page>>();
  return async (request) => {
    const token = isLoopback(hostNameOf(request)) ? options.token : undefined;
    const page = pages.get(token) ?? build({ ...options, token });
    pages.set(token, page);
    return answerTo(request, await page);
  };
}

/** What a client can accept for a GET, JSON first for clients that accept everything. */
const types = ['application/json', 'application/graphql-response+json', 'text/event-stream', 'text/html'];

/** Returns whether a client prefers a page to JSON, as browsers do. */
export function wantsPage({ method, headers }: IncomingMessage): boolean {
  const { accept = '' } = headers;
  if (method !== 'GET' || !accept.includes('text/html') || accept.length > maxAcceptBytes) return false;
  return new Negotiator({ headers: { accept } }).mediaTypes(types)[0] === 'text/html';
}
