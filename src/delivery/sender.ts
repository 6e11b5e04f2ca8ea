import dns from 'node:dns';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from 'request-filtering-agent';
import type { SentRequest } from '../ctx.ts';

const maxUrlLength = 2000;
const maxReadBytes = 64 * 1024;
const maxKeptBytes = 1024;
const maxRetryAfterMs = 24 * 60 * 60 * 1000;
/** Below the keep-alive timeout of common load balancers, so that they seldom close a connection in use. */
const idleTimeoutMs = 30_000;
/** Node.js drops each address but the last after 250 ms by default, which is too short for distant hosts. */
const connectAttemptMs = 3000;

type Headers = Readonly<Record<string, string>>;

export interface Sender {
  /** Sends a POST request with a JSON body. Follows no redirects. Network problems are part of the result. Throws TypeError for invalid headers. */
  send(url: string, headers: Headers, body: string): Promise<SentRequest>;
  /** Closes all connections. Requests that still run end with an error. */
  close(): void;
}

export interface SenderOptions {
  /** Whether to allow http URLs and addresses that are not public, as for development. */
  allowPrivateTargets: boolean;
  /** The limit from the DNS lookup to the end of the response. */
  timeoutMs?: number;
  /** Resolves host names; default: that of `node:dns`. */
  lookup?: LookupFunction;
}

const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');
/** A service of Azure for its virtual machines, at an address that is otherwise public. */
const azureHostAddress = '168.63.129.16';

/** The part of IPv6 outside 2000::/3 includes IPv4-compatible addresses, which ipaddr.js calls unicast. */
function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address) || address === azureHostAddress) return false;
  const parsed = ipaddr.parse(address);
  return parsed.range() === 'unicast' && (parsed.kind() === 'ipv4' || parsed.match(globalUnicast));
}

/** Returns the host of a URL without the brackets of IPv6. The URL parser has normalized all forms of IPv4. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function checkForm(url: string, allowHttp: boolean): string | undefined {
  if (url.length > maxUrlLength) return `must have at most ${maxUrlLength} characters`;
  const mustBe = `must be an https${allowHttp ? ' or http' : ''} URL`;
  if (/[\s\p{Cc}]/u.test(url) || !URL.canParse(url)) return mustBe;
  const { protocol, username, password } = new URL(url);
  if (protocol !== 'https:' && !(allowHttp && protocol === 'http:')) return mustBe;
  if (username !== '' || password !== '') return 'must not contain a user name or password';
  return url.includes('#') ? 'must not have a fragment' : undefined;
}

/**
 * Returns what is wrong with a URL, for a message such as "`url` must be an https URL.", or undefined. Host names are
 * not resolved, because the sender checks their addresses whenever it connects.
 */
export function checkTargetUrl(url: string, allowPrivateTargets: boolean): string | undefined {
  const problem = checkForm(url, allowPrivateTargets);
  if (problem !== undefined || allowPrivateTargets) return problem;
  const host = hostOf(new URL(url));
  const isPrivate = isIP(host) === 0 ? /(^|\.)localhost\.?$/.test(host) : !isPublicAddress(host);
  return isPrivate ? 'must not point to a private address' : undefined;
}

/** An attempt failed. The message is for people who read the log of attempts. */
class AttemptError extends Error {
  override name = 'AttemptError';
}

/** Resolves names like `lookup`, but fails if one of the addresses is not public. */
function filterLookup(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) =>
    lookup(hostname, options, (error, found, family) => {
      const addresses = error === null ? [found].flat() : [];
      const isPublic = addresses.every((one) => isPublicAddress(typeof one === 'string' ? one : one.address));
      const denied = new AttemptError('The host name resolves to an address that is not public');
      callback(isPublic ? error : denied, found, family);
    });
}

/** @throws AttemptError if the URL is invalid or its host is an IP address that is not public */
function parseTarget(url: string, allowPrivateTargets: boolean): URL {
  const problem = checkForm(url, allowPrivateTargets);
  if (problem !== undefined) throw new AttemptError(`The URL ${problem}`);
  const target = new URL(url);
  const host = hostOf(target);
  if (!allowPrivateTargets && isIP(host) !== 0 && !isPublicAddress(host)) {
    throw new AttemptError(`The address ${host} is not public`);
  }
  return target;
}

const errorPhrases: Record<string, string> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'The connection was closed before the response ended',
  EPIPE: 'The connection was closed before the response ended',
  ETIMEDOUT: 'The connection timed out',
  EHOSTUNREACH: 'The host is unreachable',
  ENETUNREACH: 'The host is unreachable',
  EADDRNOTAVAIL: 'The host is unreachable',
  ENOTFOUND: 'The host name is unknown',
  EAI_AGAIN: 'The host name lookup failed',
  EPROTO: 'The TLS handshake failed',
};

const certificateProblems: Record<string, string> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the issuer of the certificate is not trusted',
  UNABLE_TO_GET_ISSUER_CERT: 'the certificate chain is incomplete',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the issuer of the certificate is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate chain is incomplete',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host name',
};

function phraseOf(error: unknown): string {
  if (error instanceof AttemptError) return error.message;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (code.startsWith('ERR_SSL_')) return 'The TLS handshake failed';
  if (code.includes('CERT') || code in certificateProblems) {
    return `TLS certificate error: ${certificateProblems[code] ?? 'the certificate is invalid'}`;
  }
  if (code.startsWith('HPE_')) return 'The response is not valid HTTP';
  return errorPhrases[code] ?? 'The request failed';
}

function parseRetryAfter(value: string | undefined): number | null {
  if (value === undefined) return null;
  const isDate = /^[A-Z][a-z]+, .* GMT$/.test(value);
  const delayMs = isDate
    ? Date.parse(value) - Date.now()
    : /^\d+$/.test(value)
      ? Number(value) * 1000
      : Number.NaN;
  return Number.isNaN(delayMs) ? null : Math.min(Math.max(delayMs, 0), maxRetryAfterMs);
}

/** Returns bytes as text. Leaves out a character that the end of the bytes cuts, and NUL, which text columns reject. */
function textOf(bytes: Buffer): string {
  return new TextDecoder().decode(bytes, { stream: true }).replaceAll('\0', '');
}

/** The parts of a response that have arrived. They stay if the rest fails. */
interface Reply {
  status: number | null;
  retryAfterMs: number | null;
  body: Buffer;
}

function sendRequest(request: ClientRequest, body: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // The listener stays, because an error without one would end the process.
    request.on('error', reject);
    request.once('response', resolve);
    // Without a listener, Node.js destroys the request and emits nothing.
    request.once('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new AttemptError('The server switched to another protocol'));
    });
    request.end(body);
  });
}

async function readResponse(response: IncomingMessage, reply: Reply): Promise<void> {
  reply.status = response.statusCode ?? null;
  reply.retryAfterMs = parseRetryAfter(response.headers['retry-after']);
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const missing = maxKeptBytes - reply.body.length;
    if (missing > 0) reply.body = Buffer.concat([reply.body, chunk.subarray(0, missing)]);
    length += chunk.length;
    // Leaving the loop early destroys the connection.
    if (length > maxReadBytes) return;
  }
}

/** Whether the server closed a kept connection just when the request was sent. The request can be sent again. */
function isStale({ reusedSocket }: ClientRequest, { status }: Reply, error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return reusedSocket && status === null && ['ECONNRESET', 'EPIPE'].includes(code);
}

async function exchange(open: () => ClientRequest, body: string, reply: Reply): Promise<void> {
  const request = open();
  try {
    await readResponse(await sendRequest(request, body), reply);
  } catch (error) {
    if (!isStale(request, reply, error)) throw error;
    await exchange(open, body, reply);
  }
}

/** Besides `isPublicAddress`, these agents check the addresses of hosts when they connect. */
function createAgents(options: ConstructorParameters<typeof RequestFilteringHttpsAgent>[0]) {
  return { http: new RequestFilteringHttpAgent(options), https: new RequestFilteringHttpsAgent(options) };
}

function openRequest(
  agents: ReturnType<typeof createAgents>,
  target: URL,
  given: Headers,
  signal: AbortSignal,
): ClientRequest {
  const own = { 'content-type': 'application/json', 'user-agent': 'accountgraph-webhooks/1' };
  const options = { method: 'POST', headers: { ...given, ...own }, signal };
  return target.protocol === 'https:'
    ? httpsRequest(target, { ...options, agent: agents.https })
    : httpRequest(target, { ...options, agent: agents.http });
}

/** Runs `work` until the timeout. Returns why it failed, or null. */
async function errorOf(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<string | null> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new AttemptError(`Timed out after ${timeoutMs / 1000} s`));
      abort.abort();
    }, timeoutMs);
  });
  try {
    await Promise.race([work(abort.signal), timeout]);
    return null;
  } catch (error) {
    if (error instanceof TypeError) throw error;
    return phraseOf(error);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Creates a sender of webhook requests. Unless `allowPrivateTargets` is set, it connects only to public addresses. It
 * checks the addresses of a host name for each connection, because they can change after any earlier check.
 */
export function createSender(options: SenderOptions): Sender {
  const { allowPrivateTargets, timeoutMs = 15_000, lookup = dns.lookup } = options;
  const agents = createAgents({
    keepAlive: true,
    timeout: idleTimeoutMs,
    autoSelectFamilyAttemptTimeout: connectAttemptMs,
    lookup: allowPrivateTargets ? lookup : filterLookup(lookup),
    allowPrivateIPAddress: allowPrivateTargets,
    allowMetaIPAddress: allowPrivateTargets,
  });
  let isClosed = false;
  return {
    async send(url, headers, body) {
      const startedAt = performance.now();
      const reply: Reply = { status: null, retryAfterMs: null, body: Buffer.alloc(0) };
      const error = await errorOf(timeoutMs, async (signal) => {
        const target = parseTarget(url, allowPrivateTargets);
        const open = () => {
          if (isClosed) throw new AttemptError('The service is stopping');
          return openRequest(agents, target, headers, signal);
        };
        await exchange(open, body, reply);
      });
      const durationMs = Math.round(performance.now() - startedAt);
      const { status, retryAfterMs } = reply;
      return { status, error, response: textOf(reply.body), durationMs, retryAfterMs };
    },
    close() {
      isClosed = true;
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}
