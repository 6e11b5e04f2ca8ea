import { type IdType, parseTypeId } from './id.ts';
import { isStorable } from './rule.ts';

/** Names an entity by the id its creator chose or by its node id's UUID, so that one loader and one batch serve both. */
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

/** So many keys are looked up by one statement. */
export const maxKeysTogether = 500;

/** The keys of a batch, sorted into the two kinds that a statement looks up; what no id can be is left out. */
export function keyParts(keys: readonly EntityKey[]): { ids: string[]; uuids: string[] } {
  const ids: string[] = [];
  const uuids: string[] = [];
  for (const key of keys) {
    if (key.startsWith('uuid:')) uuids.push(key.slice(5));
    else if (isStorable(key)) ids.push(key.slice(3));
  }
  return { ids, uuids };
}

/** Rows by each of the keys that name them; their node ids may have been left out. */
export function byKeys<Row extends { id: string; nodeId?: string }>(
  rows: readonly Row[],
): Map<EntityKey, Row> {
  const found = new Map<EntityKey, Row>();
  for (const row of rows) {
    found.set(byId(row.id), row);
    if (row.nodeId !== undefined) found.set(byUuid(row.nodeId), row);
  }
  return found;
}

/** The key of a reference by either id, undefined when it names nothing of this type. */
export function entityKeyOf(
  type: IdType,
  reference: { id?: unknown; nodeId?: unknown },
): EntityKey | undefined {
  if (typeof reference.id === 'string') return byId(reference.id);
  const parsed = typeof reference.nodeId === 'string' ? parseTypeId(reference.nodeId) : undefined;
  return parsed?.type === type ? byUuid(parsed.uuid) : undefined;
}
