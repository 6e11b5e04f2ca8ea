import { createHash } from 'node:crypto';
import { fromUUID, toUUID, typeidUnboxed } from 'typeid-js';
import { v7 } from 'uuid';

const prefixes = {
  Account: 'account',
  Customer: 'customer',
  Alias: 'alias',
  Change: 'change',
  ApiKey: 'key',
  WebhookEndpoint: 'endpoint',
  WebhookAttempt: 'attempt',
} as const;

export type IdType = keyof typeof prefixes;

/** Creates a UUIDv7 (RFC 9562), which sorts by creation time. */
export const newUuid = (): string => v7();

/** Returns the SHA-256 of the content as a UUIDv8 (RFC 9562), so that equal content has an equal UUID. */
export function uuidOf(content: unknown): string {
  const bytes = createHash('sha256').update(JSON.stringify(content)).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Returns the lowest UUIDv7 of an instant. It sorts before every UUIDv7 that is created from then on. */
export function firstUuidAt(timeMs: number): string {
  const hex = timeMs.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

/** Returns the TypeID of a UUID: a prefix and 26 base-32 characters, such as `account_01m84fadmwe03rqpvwbebaam9z`. */
export function toTypeId(type: IdType, uuid: string): string {
  return fromUUID(uuid, prefixes[type]);
}

/** Returns the type and UUID of a TypeID, or undefined if it is not one of this service. */
export function parseTypeId(typeId: string): { type: IdType; uuid: string } | undefined {
  const [prefix, suffix, ...rest] = typeId.split('_');
  const type = (Object.keys(prefixes) as IdType[]).find((key) => prefixes[key] === prefix);
  if (type === undefined || suffix === undefined || rest.length > 0) return undefined;
  if (!/^[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(suffix)) return undefined;
  try {
    return { type, uuid: toUUID(typeidUnboxed(prefixes[type], suffix)) };
  } catch {
    // The 128 bits of the suffix are not a valid UUID, for example of version 0.
    return undefined;
  }
}
