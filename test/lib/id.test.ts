import fc from 'fast-check';
import { expect, it } from 'vitest';
import { byId, byKeys, byUuid, type EntityKey, entityKeyOf, keyParts } from '../../src/lib/entity-key.ts';
import { newUuid, parseTypeId, toTypeId } from '../../src/lib/id.ts';

const types = fc.constantFrom('Account', 'Customer', 'Change', 'ApiKey');

it('converts every UUID to a TypeID and back', () => {
  fc.assert(
    fc.property(types, fc.uuid(), (type, uuid) => {
      expect(parseTypeId(toTypeId(type, uuid))).toEqual({ type, uuid });
    }),
  );
});

it('rejects any other text as a TypeID', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const parsed = parseTypeId(text);
      if (parsed !== undefined) expect(toTypeId(parsed.type, parsed.uuid)).toBe(text);
    }),
  );
  const one = toTypeId('Account', newUuid());
  for (const other of [
    one.toUpperCase(),
    `${one}0`,
    one.slice(0, -1),
    one.replace('_', ''),
    ` ${one}`,
    `${one}\n`,
    'account_0000000000w0ng000000000005',
  ]) {
    expect(parseTypeId(other)).toBeUndefined();
  }
});

it('creates UUIDs of version 7 that sort by creation time', () => {
  const made = Array.from({ length: 1000 }, () => newUuid());
  expect(made).toEqual([...new Set(made)].toSorted());
  for (const uuid of made) expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
});

it('finds rows by either id', () => {
  const rows = [
    { id: 'a', nodeId: 'uuid-a' },
    { id: 'b', nodeId: 'uuid-b' },
  ];
  const keys: EntityKey[] = [
    byUuid('uuid-b'),
    byId('nobody'),
    byId('a'),
    byId('uuid-b'),
    byId('b'),
    byUuid('a'),
  ];
  const found = byKeys(rows, (row) => row);
  expect(keys.map((key) => found.get(key)?.id ?? null)).toEqual(['b', null, 'a', null, 'b', null]);
  expect(keyParts(keys)).toEqual({ ids: ['nobody', 'a', 'uuid-b', 'b'], uuids: ['uuid-b', 'a'] });
});

it('reads a reference by either id and rejects another type', () => {
  const uuid = newUuid();
  expect(entityKeyOf('Account', { id: 'a' })).toBe('id:a');
  expect(entityKeyOf('Account', { nodeId: toTypeId('Account', uuid) })).toBe(`uuid:${uuid}`);
  expect(entityKeyOf('Account', { nodeId: toTypeId('Customer', uuid) })).toBeUndefined();
  expect(entityKeyOf('Account', { id: 5 })).toBeUndefined();
  expect(entityKeyOf('Account', {})).toBeUndefined();
});
