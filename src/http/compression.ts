import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import Negotiator from 'negotiator';

/** Below this, a body fits into one packet anyway. */
const minBytes = 1024;
/** No honest client sends a longer `Accept-Encoding`; a longer one gets an uncompressed body. */
const maxHeaderBytes = 1024;

const brotli = promisify(brotliCompress);
const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };
const encoders = {
  br: (body: Buffer) => brotli(body, brotliOptions),
  gzip: promisify<Buffer, Buffer>(gzip),
};

type Encoding = keyof typeof encoders;

/** The preferred encodings among equals. The types of negotiator lack the option. */
const ours = { preferred: ['br', 'gzip'] };

/** Returns the encoding for an `Accept-Encoding` header, undefined for none. */
function encodingFor(accepted: string): Encoding | undefined {
  const negotiator = new Negotiator({ headers: { 'accept-encoding': accepted } });
  const encodings: (available: string[], options: typeof ours) => string[] =
    negotiator.encodings.bind(negotiator);
  const [best] = encodings([...ours.preferred, 'identity'], ours);
  return best === 'br' || best === 'gzip' ? best : undefined;
}

/** Returns whether a client accepts gzip. */
export function acceptsGzip(accepted: string | undefined): boolean {
  if (accepted === undefined || accepted.length > maxHeaderBytes) return false;
  return new Negotiator({ headers: { 'accept-encoding': accepted } }).encodings(['gzip']).length > 0;
}

/** Returns a compressed body; undefined if the body is small or the client accepts no encoding. */
export async function compress(
  accepted: string | undefined,
  body: Buffer,
): Promise<{ encoding: Encoding; body: Buffer } | undefined> {
  if (accepted === undefined || body.length < minBytes || accepted.length > maxHeaderBytes) return undefined;
  const encoding = encodingFor(accepted);
  return encoding && { encoding, body: await encoders[encoding](body) };
}
