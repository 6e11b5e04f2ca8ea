import { createHash } from 'node:crypto';
import { fromUUID, toUUID, typeidUnboxed } from 'typeid-js';
import { v7 } from 'uuid';

const prefixes = {
  Account: 'account',
  Customer: 'customer',
  Alias: 'alias',
  Change: 'change',
  ApiKey: 'key',
} as const;

export type IdType = keyof typeof prefixes;

/** A new UUIDv7 (RFC 9562), sortable by creation. */
export const newUuid = (): string => v7();

/** The UUID of content, the same for the same content: its SHA-256 in the form of a UUIDv8 (RFC 9562). */
export function uuidOf(content: unknown): string {
  const bytes = createHash('sha256').update(JSON.stringify(content)).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** A UUIDv7 before all that are made from this instant on. */
export function firstUuidAt(timeMs: number): string {
  const hex = timeMs.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

/** The TypeID of a UUID: the type's prefix and 26 characters of base 32, for example `account_01m84fadmwe03rqpvwbebaam9z`. */
export function toTypeId(type: IdType, uuid: string): string {
  return fromUUID(uuid, prefixes[type]);
}

/** The type and UUID that a TypeID names, or undefined when it is not one of ours. */
export function parseTypeId(typeId: string): { type: IdType; uuid: string } | undefined {
  const [prefix, suffix, ...rest] = typeId.split('_');
  const type = (Object.keys(prefixes) as IdType[]).find((key) => prefixes[key] === prefix);
  if (type === undefined || suffix === undefined || rest.length > 0) return undefined;
  if (!/^[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(suffix)) return undefined;
  try {
    return { type, uuid: toUUID(typeidUnboxed(prefixes[type], suffix)) };
  } catch {
    // The suffix encodes 128 bits that are no UUID, for example of version 0.
    return undefined;
  }
}
