import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Plugin } from 'graphql-yoga';

/** Below this, an answer fits into one packet anyway. */
const minBytes = 1024;

const brotli = promisify(brotliCompress);
const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };
const encoders: Record<string, (body: Buffer) => Promise<Buffer>> = {
  br: (body) => brotli(body, brotliOptions),
  gzip: promisify<Buffer, Buffer>(gzip),
};

/** The first of our encodings that an `Accept-Encoding` header admits. */
function encodingFor(accepted: string | null): string | undefined {
  if (accepted === null) return undefined;
  const weights = new Map(
    accepted.split(',').map((entry): [string, number] => {
      const [name = '', weight = '1'] = entry.split(/;\s*q=/i);
      return [name.trim().toLowerCase(), Number(weight)];
    }),
  );
  return Object.keys(encoders).find((name) => (weights.get(name) ?? weights.get('*') ?? 0) > 0);
}

/** A body as its reader wants it, where that pays. */
export async function compress(
  accepted: string | null,
  body: Buffer,
): Promise<{ encoding: string; body: Buffer } | undefined> {
  const encoding = encodingFor(accepted);
  const encode = encoders[encoding ?? ''];
  if (encoding === undefined || encode === undefined || body.length < minBytes) return undefined;
  return { encoding, body: await encode(body) };
}

/** Compresses answers where that pays; never the parts of a streamed answer, which must not wait for each other. */
export function useCompression(): Plugin {
  return {
    async onResponse({ request, response, setResponse, fetchAPI }) {
      const { status, statusText, headers } = response;
      if (!/^application\/(graphql-response\+)?json/.test(headers.get('content-type') ?? '')) return;
      const accepted = request.headers.get('accept-encoding');
      if (accepted === null) return;
      const plain = Buffer.from(await response.arrayBuffer());
      const { encoding, body } = (await compress(accepted, plain)) ?? { body: plain };
      if (encoding !== undefined) headers.set('content-encoding', encoding);
      headers.set('content-length', String(body.length));
      setResponse(new fetchAPI.Response(new Uint8Array(body), { status, statusText, headers }));
    },
  };
}
