import { setTimeout as sleep } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { WebhookChange } from '../delivery/payload.ts';
import { StartupError, UnreachableError } from '../lib/errors.ts';

/** The service sends a comment every 12 s, so a connection that is silent for longer is lost. */
const silenceMs = 40_000;
const firstDelayMs = 500;
const maxDelayMs = 15_000;
/** A refused subscription also begins as a stream, and then ends at once. */
const steadyMs = 1000;
/** The same request can succeed later. */
const temporaryCodes = ['SERVICE_UNAVAILABLE', 'RATE_LIMITED', 'TIMEOUT', 'INTERNAL_SERVER_ERROR'];

const latestPosition =
  'query ListenStart($after: Position) { changes(after: $after, first: 1) { latestPosition } }';
const newChanges = `subscription Listen { changes {
  id kind at version position customerId accountId actor requestId before after } }`;

/** The GraphQL endpoint of a running service, and a token for it. */
export interface Endpoint {
  url: string;
  token: string;
}

interface Result {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

/** The connection failed or ended. Another one may work. */
class ConnectionError extends Error {
  override name = 'ConnectionError';
}

const withFullStop = (text: string): string => (text.endsWith('.') ? text : `${text}.`);

/** Returns why `fetch` or the stream of its response failed. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  if (cause instanceof Error) return cause.message || String((cause as NodeJS.ErrnoException).code);
  return message;
}

/** Returns the error of a result: a ConnectionError if the request can succeed later, otherwise a StartupError. */
function errorOf({ errors = [] }: Result): Error {
  const [{ message, extensions } = { message: 'The result has no data' }] = errors;
  const code = extensions?.code ?? 'no code';
  if (temporaryCodes.includes(code)) return new ConnectionError(`${code}: ${withFullStop(message)}`);
  if (code === 'UNAUTHENTICATED') {
    return new StartupError(
      'The service refuses the token (UNAUTHENTICATED). Set --token or ACCOUNTGRAPH_TOKEN to a valid API key.',
    );
  }
  return new StartupError(`The service refuses the request (${code}): ${withFullStop(message)}`);
}

async function send(
  { url, token }: Endpoint,
  body: object,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  const own = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const request = { method: 'POST', headers: { ...own, ...headers }, body: JSON.stringify(body), signal };
  try {
    return await fetch(url, request);
  } catch (error) {
    throw new ConnectionError(`${url} is unreachable: ${withFullStop(reasonOf(error))}`);
  }
}

/** Returns the result in a response in one body. */
async function readResult(response: Response): Promise<Result> {
  const result = (await response.json().catch(() => ({}))) as Result;
  if (result.data != null || result.errors !== undefined) return result;
  const problem = `${response.url} returned status ${response.status} without a GraphQL result.`;
  if (response.status === 429 || response.status >= 500) throw new ConnectionError(problem);
  throw new StartupError(`${problem} Set --url to the GraphQL URL of the service.`);
}

/**
 * Returns the position to listen from: `after` if it is valid, by default the newest one. Also checks the token.
 * @throws StartupError if the service is unreachable or refuses the request
 */
export async function readPosition(
  endpoint: Endpoint,
  after: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  try {
    const body = { query: latestPosition, variables: { after } };
    const result = await readResult(await send(endpoint, body, {}, signal));
    const changes = result.data?.changes as { latestPosition: string } | null | undefined;
    if (changes == null) throw errorOf(result);
    return after ?? changes.latestPosition;
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    throw new UnreachableError(`${error.message} Start the service, or set --url.`);
  }
}

interface Listening {
  signal: AbortSignal;
  /** Called when a connection has been accepted. */
  onOpen(): void;
  /** Called when a connection is lost, with the delay before the next one. */
  onLost(reason: string, delayMs: number): void;
}

/** Yields the events of a response. Throws ConnectionError if the connection is lost or silent. */
async function* readEvents(
  response: Response,
  silence: AbortController,
): AsyncGenerator<EventSourceMessage, void> {
  const quiet = setTimeout(() => silence.abort(), silenceMs);
  const waiting: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => waiting.push(event) });
  try {
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      parser.feed(text);
      for (const event of waiting.splice(0)) {
        quiet.refresh();
        yield event;
      }
      quiet.refresh();
    }
  } catch (error) {
    const reason = silence.signal.aborted ? `nothing arrived for ${silenceMs / 1000} s` : reasonOf(error);
    throw new ConnectionError(withFullStop(reason));
  } finally {
    clearTimeout(quiet);
  }
}

/** Yields the changes after a position from one connection. Throws ConnectionError when it ends. */
async function* readChanges(endpoint: Endpoint, position: string, { signal, onOpen }: Listening) {
  const silence = new AbortController();
  const headers = { accept: 'text/event-stream', 'last-event-id': position };
  const either = AbortSignal.any([signal, silence.signal]);
  const response = await send(endpoint, { query: newChanges }, headers, either);
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  if (!isStream) throw errorOf(await readResult(response));
  const steady = setTimeout(onOpen, steadyMs);
  try {
    for await (const { event, data } of readEvents(response, silence)) {
      if (event === 'complete') break;
      const result = JSON.parse(data) as Result;
      if (result.data == null) throw errorOf(result);
      yield result.data.changes as WebhookChange;
    }
  } finally {
    clearTimeout(steady);
  }
  throw new ConnectionError('The service ended the subscription.');
}

/**
 * Yields the changes after a position in the order of the feed, each once, until the signal aborts. A lost connection
 * is opened again after the last change. A change that is read is passed when the caller asks for the next one.
 * @throws StartupError if the service refuses the request
 */
export async function* followChanges(
  endpoint: Endpoint,
  after: string,
  listening: Listening,
): AsyncGenerator<WebhookChange, void> {
  const { signal } = listening;
  let position = after;
  let failures = 0;
  const onOpen = () => {
    if (failures > 0) listening.onOpen();
    failures = 0;
  };
  while (!signal.aborted) {
    try {
      for await (const change of readChanges(endpoint, position, { ...listening, onOpen })) {
        onOpen();
        yield change;
        position = change.position;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ConnectionError)) throw error;
      const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** failures);
      failures += 1;
      listening.onLost(error.message, delayMs);
      await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
