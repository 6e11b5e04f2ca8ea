import type { IncomingMessage } from 'node:http';
import { MIMEType } from 'node:util';

/** The longest body that either API reads. */
export const maxBodyBytes = 1_000_000;

/**
 * The most bytes of a rejected body that are read and discarded: a client whose connection closes while it sends may
 * lose the response.
 */
export const maxDroppedBytes = 8 * maxBodyBytes;

/** How long to wait for more of a rejected body, in milliseconds. */
export const dropMs = 1000;

/** Why a body cannot be read. */
export class BodyError extends Error {
  override name = 'BodyError';
  readonly status: 400 | 413 | 415;

  constructor(status: BodyError['status'], message: string) {
    super(message);
    this.status = status;
  }
}

const tooLarge = () => new BodyError(413, `The body must have at most ${maxBodyBytes} bytes.`);
const brokenOff = () => new BodyError(400, 'The connection closed before the end of the body.');

/** No honest client sends a longer `Content-Type`. */
const maxTypeBytes = 1024;

/** Throws BodyError 415 unless the headers announce JSON in UTF-8 without compression. */
export function assertJson(contentType: string | undefined, contentEncoding: string | undefined): void {
  if (contentType === 'application/json' && contentEncoding === undefined) return;
  let type: MIMEType | undefined;
  try {
    if ((contentType ?? '').length <= maxTypeBytes) type = new MIMEType(contentType ?? '');
  } catch {
    // Not a media type at all.
  }
  if (type === undefined || !/^application\/(graphql\+)?json$/.test(type.essence)) {
    throw new BodyError(415, 'The content type must be application/json.');
  }
  const charset = type.params.get('charset') || 'utf-8';
  if (!/^utf-?8$/i.test(charset)) throw new BodyError(415, 'The charset of the body must be utf-8.');
  if (contentEncoding !== undefined && !/^identity$/i.test(contentEncoding)) {
    throw new BodyError(415, 'The body must not be compressed. Send it without `Content-Encoding`.');
  }
}

/**
 * Decodes UTF-8, without a byte order mark. Throws BodyError 400 for bytes that are not UTF-8, and for a second mark,
 * which some readers of the text would also remove.
 */
export function decodeText(bytes: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new BodyError(400, 'The body is not UTF-8.');
  }
  if (text.startsWith('\uFEFF')) throw new BodyError(400, 'The body has more than one byte order mark.');
  return text;
}

/** Returns whether percent-encoding is complete and encodes UTF-8. */
export function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Strings, and numbers with a fraction or an exponent. Other numbers keep their digits or are not safe integers. */
const stringOrFraction = /"(?:[^"\\]|\\.)*"|(-?\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/g;

/**
 * Throws BodyError 400 for a number in a JSON text that JavaScript rounds to an integer, such as
 * `1.00000000000000000001`: it could be an id.
 */
export function assertExact(json: string): void {
  if (!/\d[.e]/i.test(json)) return;
  for (const [token, whole, fraction = '', exponent = '0'] of json.matchAll(stringOrFraction)) {
    if (whole === undefined || whole.length === token.length || !Number.isInteger(Number(token))) continue;
    if (Number(exponent) >= fraction.replace(/0+$/, '').length) continue;
    const number = token.slice(0, 50);
    throw new BodyError(
      400,
      `The number ${number} has more digits than JSON keeps. Send an integer or a string.`,
    );
  }
}

function readIncoming(request: IncomingMessage): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return Promise.reject(tooLarge());
  // The request may have closed while its token was looked up; then no event follows.
  if (request.destroyed) return Promise.reject(brokenOff());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBodyBytes) chunks.push(chunk);
      else reject(tooLarge());
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', () => reject(brokenOff()));
    request.on('close', () => {
      if (!request.complete) reject(brokenOff());
    });
  });
}

const noBytes = new Uint8Array();

/**
 * Returns a function that reads the bytes of a request's body. A complete body is read at once, because its bytes use less
 * memory than its stream while the request waits.
 */
export function bodyOf(request: IncomingMessage): () => Promise<Uint8Array> {
  if (!request.complete || request.destroyed) return () => readIncoming(request);
  const body: Buffer | null = request.read();
  if (body !== null && body.length > maxBodyBytes) return () => Promise.reject(tooLarge());
  return async () => {
    // The request itself is destroyed once it has been read.
    if (request.socket.destroyed) throw brokenOff();
    return body ?? noBytes;
  };
}

/** Reads and discards the rest of a body. Returns whether it has ended. */
export function dropRest(request: IncomingMessage): Promise<boolean> {
  if (request.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), dropMs).unref();
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      timer.refresh();
      length += chunk.length;
      if (length > maxDroppedBytes) resolve(false);
    });
    request.once('close', () => resolve(request.complete));
  });
}

/** Limits for JSON that costs more than its bytes. */
const most = { values: 50_000, members: 1_000, levels: 50 };
/** A body of at most this many characters is small, whatever it contains. */
const smallBody = 10_000;

function endOfString(json: string, start: number): number {
  for (let at = json.indexOf('"', start + 1); at !== -1; at = json.indexOf('"', at + 1)) {
    let slash = at - 1;
    while (json[slash] === '\\') slash -= 1;
    if ((at - slash) % 2 === 1) return at;
  }
  return json.length;
}

/** Returns which limit a JSON text exceeds, as a sentence. For other texts, the result is arbitrary. */
export function excessIn(json: string): string | undefined {
  if (json.length <= smallBody) return undefined;
  const members: number[] = [];
  let values = 0;
  for (let at = 0; at < json.length; at += 1) {
    const character = json[at];
    if (character === '"') at = endOfString(json, at);
    else if (character === '{' || character === '[') members.push(0);
    else if (character === '}' || character === ']') members.pop();
    else if (character === ':') members.push((members.pop() ?? 0) + 1);
    if (character === '{' || character === '[' || character === ',') values += 1;
    if (values > most.values) return `The body must have at most ${most.values} values.`;
    if (members.length > most.levels) return `The body must have at most ${most.levels} levels.`;
    if ((members.at(-1) ?? 0) > most.members)
      return `Each object in the body must have at most ${most.members} members.`;
  }
  return undefined;
}
