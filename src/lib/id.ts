import { fromUUID, toUUID, typeidUnboxed } from 'typeid-js';

const prefixes = { Account: 'account', Customer: 'customer', Change: 'change', ApiKey: 'key' } as const;

export type IdType = keyof typeof prefixes;

/** A new UUIDv7 (RFC 9562), sortable by creation. */
export function newUuid(): string {
  return toUUID(typeidUnboxed());
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
  return { type, uuid: toUUID(typeidUnboxed(prefixes[type], suffix)) };
}
