import { InvalidInputError } from '../lib/errors.ts';
import type { Place } from './table.ts';

/** The place before the first change of any tenant. */
export const start: Place = { position: 0, changeId: null };

const numberBytes = 6;
const idBytes = 8;
/** The last 16 of the 32 digits of a UUID, which are random. */
const suffixOf = (uuid: string | null): string =>
  (uuid ?? '').replaceAll('-', '').slice(16).padStart(16, '0');

/**
 * Encodes a place. A position has random digits of its change, so it is valid only for its tenant, and only if the
 * feed has not lost that change in a restore.
 */
export function encodePosition({ position, changeId }: Place): string {
  const bytes = Buffer.alloc(numberBytes + idBytes);
  bytes.writeUIntBE(position, 0, numberBytes);
  bytes.write(suffixOf(changeId), numberBytes, 'hex');
  return bytes.toString('base64url');
}

/** A decoded position, which may name a change of another tenant or none. */
export interface GivenPosition {
  position: number;
  text: string;
  /** The name of the argument that has it, for errors. */
  argument: string;
}

function decode(text: string): number | undefined {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length !== numberBytes + idBytes || bytes.toString('base64url') !== text) return undefined;
  return bytes.readUIntBE(0, numberBytes);
}

function invalid(argument: string, message: string): InvalidInputError {
  return new InvalidInputError([{ path: [argument], code: 'INVALID_VALUE', message }]);
}

/** Decodes a position. Throws InvalidInputError if the text is none. */
export function parsePosition(text: string, argument = 'after'): GivenPosition {
  const position = decode(text);
  if (position !== undefined) return { position, text, argument };
  throw invalid(argument, 'must be a position that `changes`, a webhook or an export returned');
}

/** Throws InvalidInputError unless the feed has this change at the position. */
export function assertPosition(given: GivenPosition, changeId: string | null): void {
  if (encodePosition({ position: given.position, changeId }) === given.text) return;
  throw invalid(
    given.argument,
    'is not a position in the feed of your tenant. It is of another tenant, or the database was restored from an older backup. In the second case, read your entities again, and continue from `latestPosition`',
  );
}
