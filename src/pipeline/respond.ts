import { type FetchAPI, processRegularResult } from 'graphql-yoga';
import { compress } from '../http/compression.ts';
import { logRequest } from '../observe/log.ts';
import { type ShownErrors, showErrors } from './errors.ts';
import type { Exchange, Part } from './exchange.ts';

/** A response in one body. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string | Buffer;
}

/** yoga creates a response from a result; here it is a plain object instead of a Response of the web. */
const plain = {
  Response: function answer(body: string, { status, headers }: Answer) {
    return { body, status, headers };
  },
} as unknown as FetchAPI;

/** The headers that every GraphQL response has. */
export function headersOf({ requestId, budget }: Exchange): Record<string, string> {
  return { ...budget?.headers(), 'x-request-id': requestId };
}

async function compressed(answer: Answer, accepted: string | undefined): Promise<Answer> {
  const { headers } = answer;
  const small = accepted === undefined ? undefined : await compress(accepted, Buffer.from(answer.body));
  if (small !== undefined) headers['content-encoding'] = small.encoding;
  const body = small?.body ?? answer.body;
  headers['content-length'] = String(Buffer.byteLength(body));
  return { ...answer, body };
}

/** Returns the functions that turn results into responses. */
export function createRespond({ log, exposesSchema, metrics }: ShownErrors) {
  const options = { log, exposesSchema, metrics };
  /** Masks, names and logs the errors of a result. */
  function show<T extends Part | AsyncIterable<Part>>({ requestId, accepts }: Exchange, result: T): T {
    const namesJson = accepts === undefined || accepts.json === 'application/json';
    return showErrors(result, { ...options, requestId, spec: namesJson && (accepts?.namesJson ?? false) });
  }
  /** Logs a line for a response. */
  function logAnswer(exchange: Exchange, status: number, codes: string[]): void {
    if (!log.isLevelEnabled('debug')) return;
    const { requestId, method, caller, arrivedAt } = exchange;
    logRequest(log, { requestId, method, status, viewer: caller?.viewer, codes, beganAt: arrivedAt });
  }
  /** Returns the response to a request whose result is in one part. */
  async function json(exchange: Exchange, result: Part): Promise<Answer> {
    const shown = show(exchange, result);
    const type = exchange.accepts?.json ?? 'application/json';
    const answer = processRegularResult(shown, plain, type) as unknown as Answer;
    Object.assign(answer.headers, headersOf(exchange));
    const codes = (shown.errors ?? []).map(({ extensions }) => String(extensions.code));
    logAnswer(exchange, answer.status, codes);
    return compressed(answer, exchange.header('accept-encoding'));
  }
  return { show, json, logAnswer };
}

export type Respond = ReturnType<typeof createRespond>;
