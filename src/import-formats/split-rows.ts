import { isUtf8 } from 'node:buffer';
import { InvalidInputError } from '../lib/errors.ts';

/** The longest row, in bytes. It bounds the memory of an import. */
export const maxRowBytes = 1_000_000;

/** How much of a row that is too long is kept, to show it. */
const shownBytes = 1000;

/** The end of a row or of a gap between rows. `open` if the chunk ends before the row does. */
export interface Boundary {
  /** The index in the chunk after the last byte. */
  at: number;
  kind: 'row' | 'gap' | 'open';
}

/** Finds the next boundary in a chunk, from an index on. Keeps its state from one chunk to the next. */
export type Scan = (chunk: Buffer, from: number) => Boundary;

/** The bytes of a row. */
export interface Row {
  /** The line of the file where the row begins, from 1. */
  line: number;
  /** The offset in the file after the row. */
  end: number;
  size: number;
  /** Only the first bytes of a row that is too long. */
  bytes: Buffer;
}

const newline = 0x0a;

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) count += 1;
  return count;
}

/** Splits chunks into rows. `start` is the offset of the first chunk in its file. */
export async function* splitRows(
  chunks: AsyncIterable<Buffer>,
  scan: Scan,
  start: number,
): AsyncGenerator<Row> {
  let [line, end] = [1, start];
  let [first, size] = [line, 0];
  let pieces: Buffer[] = [];
  const finished = (): Row => ({ line: first, end, size, bytes: Buffer.concat(pieces) });
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; ) {
      const { at, kind } = scan(chunk, from);
      const piece = chunk.subarray(from, at);
      from = at;
      end += piece.length;
      line += countLines(piece);
      size += piece.length;
      pieces.push(piece);
      if (size > maxRowBytes) pieces = [Buffer.concat(pieces).subarray(0, shownBytes)];
      if (kind === 'row') yield finished();
      if (kind === 'open') continue;
      [first, size] = [line, 0];
      pieces = [];
    }
  }
  if (size > 0) yield finished();
}

/** Decodes a row. Throws InvalidInputError if it is too long or is not UTF-8. */
export function textOf({ size, bytes }: Row): string {
  if (size > maxRowBytes) {
    const message = `must have at most ${maxRowBytes} bytes, has ${size}`;
    throw new InvalidInputError([{ path: [], code: 'TOO_LONG', message }]);
  }
  if (isUtf8(bytes)) return bytes.toString();
  const message = 'must be UTF-8. Save the file in this encoding';
  throw new InvalidInputError([{ path: [], code: 'INVALID_FORMAT', message }]);
}

/** Ends a row after each line break. */
export const scanLines: Scan = (chunk, from) => {
  const at = chunk.indexOf(newline, from);
  return at === -1 ? { at: chunk.length, kind: 'open' } : { at: at + 1, kind: 'row' };
};

const [quote, comma] = [0x22, 0x2c];

/** Returns a scanner that ends a row after each line break outside of quotes. */
export function csvScanner(): Scan {
  let state: 'fieldStart' | 'plain' | 'quoted' | 'afterQuote' = 'fieldStart';
  return (chunk, from) => {
    for (let at = from; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (state === 'quoted') {
        if (byte === quote) state = 'afterQuote';
      } else if (byte === newline) {
        state = 'fieldStart';
        return { at: at + 1, kind: 'row' };
      } else if (byte === comma) state = 'fieldStart';
      // A second quote after one that could have ended the field is part of it.
      else if (byte === quote && state !== 'plain') state = 'quoted';
      else state = 'plain';
    }
    return { at: chunk.length, kind: 'open' };
  };
}
