import { describe, expect, it } from 'vitest';
import { fingerprint } from '../../src/writing/rules.ts';
import { expectRefusal, type RestAnswer, type RestClient } from '../support/rest.ts';
import {
  addAccounts,
  addAliases,
  addSetting,
  type Kind,
  kinds,
  removeSetting,
  settingNamed,
  useRestNames,
} from '../support/rest-names.ts';

/** Idempotency keys of writes whose paths contain a plus. */

const { service, newClient } = useRestNames();
const key = { 'Idempotency-Key': 'k' };

interface Write {
  call: string;
  kind: string;
  write(client: RestClient, segment: string): Promise<RestAnswer>;
  /** Creates what the write needs for this name. */
  prepare?(client: RestClient, name: string): Promise<unknown>;
}

const writes: Write[] = [
  {
    call: 'PATCH /accounts/{id}',
    kind: 'account',
    write: (client, id) => client.patch(`/accounts/${id}`, { name: 'Changed' }, key),
  },
  {
    call: 'DELETE /accounts/{id}',
    kind: 'account',
    write: (client, id) => client.delete(`/accounts/${id}`, key),
  },
  {
    call: 'POST /accounts/{id}/add_aliases',
    kind: 'account',
    write: (client, id) => client.post(`/accounts/${id}/add_aliases`, { aliases: ['p'] }, key),
  },
  {
    call: 'POST /accounts/{id}/remove_aliases',
    kind: 'account',
    prepare: (client, name) => addAliases(client, name, 'p'),
    write: (client, id) => client.post(`/accounts/${id}/remove_aliases`, { aliases: ['p'] }, key),
  },
  {
    call: 'PATCH /customers/{id}',
    kind: 'customer',
    write: (client, id) => client.patch(`/customers/${id}`, { name: 'Changed' }, key),
  },
  {
    call: 'DELETE /customers/{id}',
    kind: 'customer',
    write: (client, id) => client.delete(`/customers/${id}`, key),
  },
  {
    call: 'DELETE /aliases/{alias}',
    kind: 'alias',
    write: (client, alias) => client.delete(`/aliases/${alias}`, key),
  },
  {
    call: 'PATCH /settings/{full id}',
    kind: 'setting',
    write: (client, id) => client.patch(`/settings/setting.n.${id}.ACCOUNT.A1`, { value: 'changed' }, key),
  },
];

function expectReplay(answer: RestAnswer, first: RestAnswer): void {
  expect(answer).toMatchObject({ status: first.status, body: first.body });
  expect(answer.headers.get('idempotent-replayed')).toBe('true');
}

describe.each(writes)('$call with a plus and an Idempotency-Key', ({ kind: name, write, prepare }) => {
  const kind = kinds[name] as Kind;

  async function clientWith(...names: string[]): Promise<RestClient> {
    const client = await newClient();
    await kind.make(client, ...names);
    await prepare?.(client, names.at(-1) ?? '');
    return client;
  }

  it('is replayed if the path means the name with a space', async () => {
    const client = await clientWith('c d');
    const first = await write(client, 'c+d');
    expect(first.status).toBeLessThan(300);
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expectReplay(await write(client, 'c+d'), first);
    expectReplay(await write(client, '%63+d'), first);
  });

  it('is replayed after an entity with the plus is created', async () => {
    const client = await clientWith('c d');
    const first = await write(client, 'c+d');
    await kind.make(client, 'c+d');
    const before = await client.get(kind.pathOf('c%2Bd'));
    expectReplay(await write(client, 'c+d'), first);
    expect((await client.get(kind.pathOf('c%2Bd'))).body).toEqual(before.body);
  });

  it.each(['c%2Bd', 'c%20d'])('is rejected if the path is sent again as %s', async (segment) => {
    const client = await clientWith('c d', 'c+d');
    const answer = await write(client, 'c+d');
    expect(answer.status).toBeLessThan(300);
    expectRefusal(await write(client, segment), 400, 'IDEMPOTENCY_KEY_REUSED');
  });
});

it('replays the write of a removed setting by either name', async () => {
  for (const name of ['c d', 'c+d']) {
    const client = await newClient();
    await addSetting(client, settingNamed(name));
    const patch = () => client.patch('/settings/setting.n.c+d.ACCOUNT.A1', { value: 'changed' }, key);
    const first = await patch();
    expect(first.body).toMatchObject({ id: name, value: 'changed' });
    await removeSetting(client, settingNamed(name));
    expectReplay(await patch(), first);
    const other = { 'Idempotency-Key': 'other' };
    const lost = await client.patch('/settings/setting.n.c+d.ACCOUNT.A1', { value: 'changed' }, other);
    expectRefusal(lost, 404, 'NOT_FOUND');
  }
});

it('replays the write of a setting after another owner is created', async () => {
  const client = await newClient();
  await addAccounts(client, 'c d');
  const named = (entityId: string) => ({ namespace: 'n', id: 's', entityId });
  await addSetting(client, named('c d'));
  const patch = () => client.patch('/settings/setting.n.s.ACCOUNT.c+d', { value: 'changed' }, key);
  const first = await patch();
  expect(first.body).toMatchObject({ entityId: 'c d', value: 'changed' });
  await addAccounts(client, 'c+d');
  expectReplay(await patch(), first);
  await addSetting(client, named('c+d'));
  expectReplay(await patch(), first);
  expect((await client.get('/settings/setting.n.s.ACCOUNT.c%2Bd')).body.value).toBe('v');
});

it.each([
  ['A1', 'A1'],
  ['c%20d', 'c d'],
  ['c%2Bd', 'c+d'],
  ['+c', '+c'],
])('stores the fingerprint of the id for the path %s', async (segment, id) => {
  const client = await newClient();
  if (id !== 'A1') await addAccounts(client, id);
  expect((await client.patch(`/accounts/${segment}`, { name: 'Changed' }, key)).status).toBe(200);
  const [record] = await service.database.orm.execute<{ fingerprint: string }>(
    `select fingerprint from idempotency_records where tenant_id = ${client.graphql.tenantId} and key = 'k'`,
  );
  expect(record?.fingerprint).toBe(fingerprint('updateAccount', { id, name: 'Changed' }));
});
