import { describe, expect, it } from 'vitest';
import { mutate } from '../support/mutations.ts';
import { expectRefusal, type RestClient } from '../support/rest.ts';
import {
  addAccounts,
  addAliases,
  addCustomers,
  addSetting,
  type Kind,
  kinds,
  removeSetting,
  settingNamed,
  useRestNames,
} from '../support/rest-names.ts';
import type { Json } from '../support/service.ts';

const { service, newClient } = useRestNames();

describe.each(Object.entries(kinds))('a plus in a path to an %s', (_, { make, end, pathOf, nameIn }) => {
  const read = async (client: RestClient, segment: string) => {
    const { status, body } = await client.get(pathOf(segment));
    expect(status).toBe(200);
    return nameIn(body);
  };

  it('is part of the name, encoded or not', async () => {
    const client = await newClient();
    await make(client, 'r-a b', 'r-a+b');
    for (const segment of ['r-a+b', 'r-a%2Bb', '%72-a+b']) expect(await read(client, segment)).toBe('r-a+b');
    expect(await read(client, 'r-a%20b')).toBe('r-a b');
  });

  it('means a space if no entity with the plus ever existed', async () => {
    const client = await newClient();
    await make(client, 'r-a b');
    expect(await read(client, 'r-a+b')).toBe('r-a b');
    expectRefusal(await client.get(pathOf('r-a%2Bb')), 404, 'NOT_FOUND');
    await make(client, 'r-a+b');
    expect(await read(client, 'r-a+b')).toBe('r-a+b');
  });

  it('is part of the name if the entity with the plus is archived or removed', async () => {
    const client = await newClient();
    await make(client, 'r-a b', 'r-a+b');
    await end(client, 'r-a+b');
    const { status, body } = await client.get(pathOf('r-a+b'));
    if (status === 200) expect([nameIn(body), body.status]).toEqual(['r-a+b', 'ARCHIVED']);
    else expect(status).toBe(404);
    expect(await read(client, 'r-a%20b')).toBe('r-a b');
  });

  it('means a space only if it is not encoded', async () => {
    const client = await newClient();
    await make(client, 'a b+c', 'd  e');
    expect(await read(client, 'a+b%2Bc')).toBe('a b+c');
    expect(await read(client, 'd++e')).toBe('d  e');
    expectRefusal(await client.get(pathOf('a%2Bb+c')), 404, 'NOT_FOUND');
    await make(client, 'a+b+c');
    expect(await read(client, 'a+b%2Bc')).toBe('a+b+c');
  });
});

describe('a plus at an end of a path segment', () => {
  it.each(['account', 'customer', 'alias'])('is part of the name of an %s', async (kind) => {
    const { make, pathOf, nameIn } = kinds[kind] as Kind;
    const client = await newClient();
    await make(client, '+1 (555) 0', 'ends+', '+');
    for (const [segment, name] of [
      ['+1+(555)+0', '+1 (555) 0'],
      ['%2B1+%28555%29+0', '+1 (555) 0'],
      ['ends+', 'ends+'],
      ['+', '+'],
    ] as const) {
      expect(nameIn((await client.get(pathOf(segment))).body)).toBe(name);
    }
  });
});

describe('a plus in the path of a write', () => {
  it('means the account with the plus for DELETE, not the one with a space', async () => {
    const client = await newClient();
    await addAccounts(client, 'r-a b', 'r-a+b');
    expect((await client.delete('/accounts/r-a+b')).status).toBe(200);
    expect((await client.get('/accounts/r-a%2Bb')).body.status).toBe('ARCHIVED');
    expect((await client.get('/accounts/r-a%20b')).body.status).toBe('ACTIVE');
    expectRefusal(await client.delete('/accounts/r-a+b'), 400, 'NOT_ALLOWED_IN_STATUS');
    expect((await client.get('/accounts/r-a%20b')).body.status).toBe('ACTIVE');
  });

  it.each(['r-a+b', 'r-a%2Bb'])('means the account with the plus in every call, sent as %s', async (id) => {
    const client = await newClient();
    await addAccounts(client, 'r-a b', 'r-a+b');
    expect((await client.patch(`/accounts/${id}`, { name: 'Changed' })).body.id).toBe('r-a+b');
    expect((await client.post(`/accounts/${id}/add_aliases`, { aliases: ['p'] })).body.id).toBe('r-a+b');
    const { body } = await client.get(`/accounts/${id}/account_aliases`);
    expect(body.data.map(({ value }: Json) => value)).toEqual(['p']);
    expect((await client.post(`/accounts/${id}/remove_aliases`, { aliases: ['p'] })).body.id).toBe('r-a+b');
    expect((await client.get('/accounts/r-a%20b')).body).toMatchObject({ name: 'Named r-a b' });
  });

  it('means the account with a space in every call if none with a plus ever existed', async () => {
    const client = await newClient();
    await addAccounts(client, 'r-a b');
    expect((await client.patch('/accounts/r-a+b', { name: 'Changed' })).body.id).toBe('r-a b');
    expect((await client.post('/accounts/r-a+b/add_aliases', { aliases: ['p'] })).body.id).toBe('r-a b');
    expect((await client.get('/accounts/r-a+b/account_aliases')).body.data).toHaveLength(1);
    expect((await client.post('/accounts/r-a+b/remove_aliases', { aliases: ['p'] })).body.id).toBe('r-a b');
    expect((await client.delete('/accounts/r-a+b')).status).toBe(200);
    expect((await client.get('/accounts/r-a%20b')).body.status).toBe('ARCHIVED');
  });

  it('means the customer with the plus, even if it is archived', async () => {
    const client = await newClient();
    await addCustomers(client, 'c d', 'c+d');
    expect((await client.patch('/customers/c+d', { name: 'Changed' })).body.id).toBe('c+d');
    expect((await client.delete('/customers/c+d')).status).toBe(200);
    expectRefusal(await client.patch('/customers/c+d', { name: 'Other' }), 400, 'NOT_ALLOWED_IN_STATUS');
    expectRefusal(await client.delete('/customers/c+d'), 400, 'NOT_ALLOWED_IN_STATUS');
    expect((await client.get('/customers/c%20d')).body).toMatchObject({
      name: 'Named c d',
      status: 'ACTIVE',
    });
  });

  it('means the alias with the plus, even if it has ended', async () => {
    const client = await newClient();
    await addAliases(client, 'A1', 'c d', 'c+d');
    expect((await client.delete('/aliases/c+d')).status).toBe(200);
    expectRefusal(await client.delete('/aliases/c+d'), 404, 'NOT_FOUND');
    expect((await client.get('/aliases/c%20d')).status).toBe(200);
  });

  it('means the setting with the plus, even if it has been removed', async () => {
    const client = await newClient();
    const [plus, space] = [settingNamed('c+d'), settingNamed('c d')];
    for (const name of [plus, space]) await addSetting(client, name);
    const path = '/settings/setting.n.c+d.ACCOUNT.A1';
    expect((await client.patch(path, { value: 'changed' })).body).toMatchObject({
      ...plus,
      value: 'changed',
    });
    await removeSetting(client, plus);
    expectRefusal(await client.patch(path, { value: 'lost' }), 404, 'NOT_FOUND');
    expect((await client.get('/settings/setting.n.c%20d.ACCOUNT.A1')).body).toMatchObject({ value: 'v' });
  });
});

describe('a plus in a path whose name exists for another kind of entity', () => {
  it.each(['ACTIVE', 'ARCHIVED'])(
    'is part of an alias if it is in the id of an %s account',
    async (status) => {
      const client = await newClient();
      await addAccounts(client, 'c+d');
      await addAliases(client, 'A1', 'c d');
      if (status === 'ARCHIVED') await client.delete('/accounts/c%2Bd');
      expectRefusal(await client.delete('/aliases/c+d'), 404, 'NOT_FOUND');
      expect((await client.get('/aliases/c%20d')).status).toBe(200);
    },
  );

  it('is part of a name in NFD', async () => {
    const client = await newClient();
    await addAccounts(client, 'P é', 'P+é');
    await addAliases(client, 'A1', 'Q é', 'Q+é');
    expect((await client.get('/accounts/P+e%CC%81')).body.id).toBe('P+é');
    expect((await client.delete('/accounts/P+e%CC%81')).status).toBe(200);
    expect((await client.get('/accounts/P%20%C3%A9')).body.status).toBe('ACTIVE');
    expect((await client.delete('/aliases/Q+e%CC%81')).status).toBe(200);
    expect((await client.get('/aliases/Q%20%C3%A9')).status).toBe(200);
  });

  it('is part of the name of a registered alias that was deleted', async () => {
    const client = await newClient();
    await client.post('/aliases', { aliases: [{ value: 'c+d' }] });
    await addAliases(client, 'A1', 'c d');
    expect((await client.delete('/aliases/c+d')).status).toBe(200);
    expectRefusal(await client.delete('/aliases/c+d'), 404, 'NOT_FOUND');
    expect((await client.get('/aliases/c%20d')).status).toBe(200);
  });

  it.each(['removed', 'removed with its account'])('is part of a future alias that was %s', async (how) => {
    const client = await newClient();
    await addAliases(client, 'A1', 'c d');
    const future = { value: 'c+d', effectiveFrom: '2190-01-01T00:00:00Z' };
    await client.post('/accounts/A2/add_aliases', { accountAliases: [future] });
    if (how === 'removed') await client.post('/accounts/A2/remove_aliases', { aliases: ['c+d'] });
    else await client.delete('/accounts/A2');
    expectRefusal(await client.delete('/aliases/c+d'), 404, 'NOT_FOUND');
    expect((await client.get('/aliases/c%20d')).status).toBe(200);
  });

  it('is part of an account id if it is in an alias', async () => {
    const client = await newClient();
    await addAccounts(client, 'c d');
    await addAliases(client, 'A1', 'c+d');
    expectRefusal(await client.delete('/accounts/c+d'), 404, 'NOT_FOUND');
    expect((await client.get('/accounts/c%20d')).body.status).toBe('ACTIVE');
  });

  it('is part of the owner of a setting if that owner exists', async () => {
    const client = await newClient();
    await addAccounts(client, 'c d');
    await addSetting(client, { namespace: 'n', id: 's', entityId: 'c d' });
    const path = '/settings/setting.n.s.ACCOUNT.c+d';
    expect((await client.get(path)).body.entityId).toBe('c d');
    await addAccounts(client, 'c+d');
    expectRefusal(await client.patch(path, { value: 'x' }), 404, 'NOT_FOUND');
    expect((await client.get('/settings/setting.n.s.ACCOUNT.c%20d')).body.value).toBe('v');
  });

  it.each([
    ['setting.n+m.s.CUSTOMER.c%2Bd', 'n m'],
    ['setting.n%20m.s.CUSTOMER.c+d', 'n m'],
    ['setting.n+m.s.CUSTOMER.c+d', undefined],
  ])('is resolved in %s for each part separately', async (fullId, namespace) => {
    const client = await newClient();
    await addCustomers(client, 'c+d');
    await addSetting(client, { namespace: 'n m', id: 's', entityId: 'c+d' }, 'CUSTOMER');
    const { status, body } = await client.get(`/settings/${fullId}`);
    expect([status, body.namespace]).toEqual([namespace === undefined ? 404 : 200, namespace]);
  });

  it('is part of the name of a removed setting of a customer', async () => {
    const client = await newClient();
    for (const id of ['c d', 'c+d'])
      await addSetting(client, { namespace: 'n', id, entityId: 'C1' }, 'CUSTOMER');
    const settings = [{ namespace: 'n', id: 'c+d' }];
    await mutate(client.graphql, 'removeSettings', { customerId: 'C1', settings });
    expectRefusal(await client.get('/settings/setting.n.c+d.CUSTOMER.C1'), 404, 'NOT_FOUND');
  });

  it('is rejected in an invalid name', async () => {
    const client = await newClient();
    const long = 'x'.repeat(50);
    for (const segment of ['a+%00', 'a+%FF', 'a+%', `a+${long}`, 'a+%0Ab', '%20a+b']) {
      for (const path of [`/accounts/${segment}`, `/customers/${segment}`, `/aliases/${segment}`]) {
        expect([400, 404]).toContain((await client.delete(path)).status);
      }
      expect([400, 404]).toContain((await client.get(`/settings/setting.n.${segment}.ACCOUNT.A1`)).status);
    }
  });
});

it('runs a lookup only for a path with a plus that can be a space', async () => {
  const client = await newClient();
  await addAccounts(client, 'c d', 'c+d', '+c');
  const count = async (segment: string) => {
    const get = () => client.get(`/accounts/${segment}`);
    await get();
    return (await service.statements(get)).length;
  };
  const least = await count('c%20d');
  for (const segment of ['c%2Bd', '+c', 'A1']) expect(await count(segment)).toBe(least);
  expect(await count('c+d')).toBe(least + 1);
});
