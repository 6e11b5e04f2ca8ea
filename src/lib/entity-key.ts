import { type IdType, parseTypeId } from './id.ts';
import { isStorable } from './rule.ts';

/** Names an entity by its `id` or by the UUID of its `nodeId`, so that one loader and one batch serve both. */
export type EntityKey = `id:${string}` | `uuid:${string}`;

/** Names an entity by its id, which is stored in normal form C. */
export function byId(id: string): EntityKey {
  return `id:${id.normalize('NFC')}`;
}

export function byUuid(uuid: string): EntityKey {
  return `uuid:${uuid}`;
}

export function isById(key: EntityKey): boolean {
  return key.startsWith('id:');
}

/** Maximum number of keys in one statement. */
export const maxKeysTogether = 500;

/** Splits keys into ids and UUIDs. Leaves out texts that cannot be an id. */
export function keyParts(keys: readonly EntityKey[]): { ids: string[]; uuids: string[] } {
  const ids: string[] = [];
  const uuids: string[] = [];
  for (const key of keys) {
    if (key.startsWith('uuid:')) uuids.push(key.slice(5));
    else if (isStorable(key)) ids.push(key.slice(3));
  }
  return { ids, uuids };
}

/** Indexes elements by each key of their rows. Rows can lack `nodeId` if it was not selected. */
export function byKeys<T>(
  elements: readonly T[],
  rowOf: (element: T) => { id: string; nodeId?: string },
): Map<EntityKey, T> {
  const found = new Map<EntityKey, T>();
  for (const element of elements) {
    const { id, nodeId } = rowOf(element);
    found.set(byId(id), element);
    if (nodeId !== undefined) found.set(byUuid(nodeId), element);
  }
  return found;
}

/** Returns the key of a reference by either id, or undefined if it cannot name an entity of this type. */
export function entityKeyOf(
  type: IdType,
  reference: { id?: unknown; nodeId?: unknown },
): EntityKey | undefined {
  if (typeof reference.id === 'string') return byId(reference.id);
  const parsed = typeof reference.nodeId === 'string' ? parseTypeId(reference.nodeId) : undefined;
  return parsed?.type === type ? byUuid(parsed.uuid) : undefined;
}
