import { LRUCache } from 'lru-cache';
import Negotiator from 'negotiator';
import { requestError } from './request-error.ts';

export type JsonType = 'application/json' | 'application/graphql-response+json';
export type StreamType = 'text/event-stream' | 'multipart/mixed';

/** The media types that a client accepts, for each form of a response. */
export interface Accepts {
  /** For a response in one body; undefined: the client accepts no JSON. */
  json: JsonType | undefined;
  /** For a response in one body, if the client accepts no JSON. */
  whole: StreamType | undefined;
  /** For `@defer` and `@stream`; undefined: the response comes in one body. */
  parts: StreamType | undefined;
  /** For a subscription; undefined: it is refused. */
  events: 'text/event-stream' | undefined;
  /** Whether the header names application/json: such clients expect status 200 for an invalid document. */
  namesJson: boolean;
}

/** The longest `Accept` header that is read. */
export const maxAcceptBytes = 1024;

const utf8 = (type: string) => [type, `${type};charset=utf-8`];
const json = ['application/json', 'application/graphql-response+json'].flatMap(utf8);
const events = utf8('text/event-stream');
/** The multipart parameters that clients send for the format of the executor. */
const multipart = ['', ';deferSpec=20220824'].map((format) => `multipart/mixed${format}`);
/** A format that is not supported: such responses have one part. */
const multipartOfOne = multipart.map((type) => `${type};incrementalSpec=v0.2`);
/** Clients name a boundary of their choice, which is ignored: the response names its own. */
const boundary = /;\s*boundary=(?:"[^"]*"|[^;,\s]*)/gi;

const typeOf = (entry: string | undefined) => entry?.split(';', 1)[0];

function read(accept: string): Accepts {
  const negotiator = new Negotiator({ headers: { accept: accept.replaceAll(boundary, '') } });
  const best = (available: string[]) => typeOf(negotiator.mediaTypes(available)[0]);
  // `*/*` includes streams, but its clients expect one body.
  const namesStream = /multipart\/mixed|text\/event-stream/i.test(accept);
  return {
    json: best(json) as JsonType | undefined,
    whole: best([...events, ...multipart, ...multipartOfOne]) as StreamType | undefined,
    parts: namesStream ? (best([...multipart, ...events]) as StreamType | undefined) : undefined,
    events: namesStream ? (best(events) as 'text/event-stream' | undefined) : undefined,
    namesJson: /application\/json/i.test(accept),
  };
}

/** The formats for a client without `Accept`. */
const byDefault: Accepts = {
  json: 'application/json',
  whole: undefined,
  parts: undefined,
  events: undefined,
  namesJson: false,
};

/** Cached, because clients send the same few headers. */
const known = () => new LRUCache<string, Accepts>({ max: 100 });

/** Returns a function that reads an `Accept` header. It throws for one that is too long. */
export function createNegotiate(): (accept: string | undefined) => Accepts {
  const cache = known();
  return (accept) => {
    if (accept === undefined) return byDefault;
    if (Buffer.byteLength(accept) > maxAcceptBytes) {
      throw requestError('BAD_REQUEST', `\`Accept\` must have at most ${maxAcceptBytes} bytes.`, 400);
    }
    const accepts = cache.get(accept) ?? read(accept);
    cache.set(accept, accepts);
    return accepts;
  };
}

/** Throws BAD_REQUEST (status 406) if a client accepts no media type of our responses. */
export function assertAcceptable({ json, whole }: Accepts): void {
  if (json === undefined && whole === undefined) throw notAcceptable();
}

/** Returns the error of a request that accepts no media type of its response. */
export function notAcceptable(needed = 'application/json') {
  const message = `The response to this request is \`${needed}\`. Send it in \`Accept\`.`;
  return requestError('BAD_REQUEST', message, 406, { accept: needed });
}
