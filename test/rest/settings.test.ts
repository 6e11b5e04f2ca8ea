import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fullIdOf, readFullId } from '../../src/setting/rules.ts';
import { tenantWithAccounts } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { expectRefusal, type RestClient, useRest } from '../support/rest.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);

/** Creates a tenant where A1 has the settings n.s and n.t. */
async function newClient(): Promise<RestClient> {
  return rest.of(await tenantWithAccounts(service));
}

const body = {
  id: 'currency',
  value: 'INR',
  namespace: 'USER',
  name: 'Currency',
  dataType: 'STRING',
  entityType: 'ACCOUNT',
  entityId: 'A1',
};
const path = '/settings/setting.USER.currency.ACCOUNT.A1';

describe('the full id of a setting', () => {
  const part = fc
    .string({
      minLength: 1,
      maxLength: 50,
      unit: fc.constantFrom('a', 'é', '.', '~', '%', '/', '0', '1', ' '),
    })
    .filter((text) => text === text.trim() && text.length > 0);
  const word = fc.oneof(part, fc.constantFrom('ACCOUNT', 'CUSTOMER', 'setting', 'a.ACCOUNT.b'));
  const fullId = fc.record({
    namespace: word,
    id: word,
    ownerType: fc.constantFrom('ACCOUNT' as const, 'CUSTOMER' as const),
    ownerId: word,
  });

  it('identifies one setting for any parts', () => {
    fc.assert(
      fc.property(fullId, (one) => {
        expect(readFullId(fullIdOf(one))).toEqual([one]);
      }),
    );
  });

  it('matches the setting, among others, if its dots are not escaped', () => {
    fc.assert(
      fc.property(fullId, (one) => {
        const parts = [one.namespace, one.id, one.ownerType, one.ownerId];
        fc.pre(parts.every((text) => !text.includes('~')));
        expect(readFullId(`setting.${parts.join('.')}`)).toContainEqual(one);
      }),
    );
  });
});

describe('POST /settings', () => {
  it('creates a setting of an account or a customer', async () => {
    const client = await newClient();
    const created = await client.post('/settings', body);
    expect(created).toMatchObject({
      status: 201,
      body: { ...body, fullId: 'setting.USER.currency.ACCOUNT.A1' },
    });
    const ofCustomer = { ...body, entityType: 'CUSTOMER', entityId: 'C1' };
    expect((await client.post('/settings', ofCustomer)).body).toMatchObject(ofCustomer);
    expect((await client.get('/accounts/A1')).body.settings.map(({ id }: Json) => id)).toContain('currency');
  });

  it('rejects an existing setting and replays the same Idempotency-Key', async () => {
    const client = await newClient();
    const key = { 'Idempotency-Key': 'k' };
    const first = await client.post('/settings', body, key);
    const second = await client.post('/settings', body, key);
    expect(second).toMatchObject({ status: 201, body: first.body });
    expectRefusal(await client.post('/settings', { ...body, value: 'EUR' }), 400, 'ID_TAKEN');
    expect((await client.get(path)).body.value).toBe('INR');
  });

  it.each([
    [{ dataType: 'NUMERIC' }, 400, 'INVALID_INPUT'],
    [{ entityType: 'TENANT' }, 400, 'INVALID_INPUT'],
    [{ entityId: undefined }, 400, 'INVALID_INPUT'],
    [{ fullId: 'x' }, 400, 'INVALID_INPUT'],
    [{ entityId: 'nobody' }, 404, 'NOT_FOUND'],
    [{ entityId: 'A3' }, 400, 'NOT_ALLOWED_IN_STATUS'],
  ])('rejects %j', async (overrides, status, code) => {
    const client = await newClient();
    expectRefusal(await client.post('/settings', { ...body, ...overrides }), status, code);
  });
});

describe('/settings/{id}', () => {
  it('reads and changes a setting', async () => {
    const client = await newClient();
    await client.post('/settings', body);
    expect((await client.get(path)).body).toMatchObject(body);
    const changed = await client.patch(path, { value: 'EUR', name: 'Money' });
    expect(changed).toMatchObject({ status: 201, body: { ...body, value: 'EUR', name: 'Money' } });
    const typed = await client.patch(path, { dataType: 'JSON', value: '{}' });
    expect(typed.body).toMatchObject({ dataType: 'JSON', value: '{}', name: 'Money' });
  });

  it.each([{ dataType: 'NUMERIC' }, { value: null }, { id: 'other' }, { namespace: 'OTHER' }, { name: '' }])(
    'rejects the change %j',
    async (changes) => {
      const client = await newClient();
      await client.post('/settings', body);
      expectRefusal(await client.patch(path, changes), 400, 'INVALID_INPUT');
      expect((await client.get(path)).body).toMatchObject(body);
    },
  );

  it.each([
    'setting.USER.nothing.ACCOUNT.A1',
    'setting.USER.currency.CUSTOMER.A1',
    'USER.currency.ACCOUNT.A1',
    'x',
    'setting....',
  ])('returns 404 for %s', async (id) => {
    const client = await newClient();
    await client.post('/settings', body);
    expectRefusal(await client.get(`/settings/${id}`), 404, 'NOT_FOUND');
    expectRefusal(await client.patch(`/settings/${id}`, { value: 'x' }), 404, 'NOT_FOUND');
  });

  it('accepts unescaped dots if they match exactly one setting', async () => {
    const client = await newClient();
    const dotted = await client.post('/settings', { ...body, namespace: 'a', id: 'b.c' });
    expect((await client.get('/settings/setting.a.b.c.ACCOUNT.A1')).body).toEqual(dotted.body);
    const other = await client.post('/settings', { ...body, namespace: 'a.b', id: 'c' });
    expectRefusal(await client.get('/settings/setting.a.b.c.ACCOUNT.A1'), 400, 'INVALID_INPUT');
    for (const { body: setting } of [dotted, other]) {
      expect((await client.get(`/settings/${encodeURIComponent(setting.fullId)}`)).body).toEqual(setting);
    }
  });
});

describe('GET /settings', () => {
  it('lists all settings by owner, namespace and id in pages', async () => {
    const client = await newClient();
    await client.post('/settings', { ...body, entityType: 'CUSTOMER', entityId: 'C1' });
    const found: string[] = [];
    let token = '';
    do {
      const page = await client.get(`/settings?pageSize=1${token && `&nextToken=${token}`}`);
      found.push(...page.body.data.map(({ fullId }: Json) => fullId));
      token = page.body.nextToken ?? '';
    } while (token !== '');
    expect(found).toEqual([
      'setting.n.s.ACCOUNT.A1',
      'setting.n.t.ACCOUNT.A1',
      'setting.USER.currency.CUSTOMER.C1',
    ]);
  });

  it.each([
    ['entity_type=CUSTOMER', ['C1']],
    ['entity_id=A1', ['A1', 'A1']],
    ['entity_id=A1&setting_id=s', ['A1']],
    ['namespace=n&setting_id=t', ['A1']],
    ['namespace=nothing', []],
    ['entity_type=CUSTOMER&entity_id=A1', []],
  ])('filters by %s', async (query, owners) => {
    const client = await newClient();
    await mutate(client.graphql, 'putSettings', {
      customerId: 'C1',
      settings: [{ id: 'q', namespace: 'm', name: 'Q', dataType: 'STRING', value: '' }],
    });
    const { body } = await client.get(`/settings?${query}`);
    expect(body.data.map(({ entityId }: Json) => entityId)).toEqual(owners);
  });
});

it('requires the scope of the owner', async () => {
  const client = await newClient();
  const accounts = await rest.withScopes(client, ['accounts:write']);
  expect((await accounts.post('/settings', body)).status).toBe(201);
  const ofCustomer = { ...body, entityType: 'CUSTOMER', entityId: 'C1' };
  expectRefusal(await accounts.post('/settings', ofCustomer), 403, 'FORBIDDEN');
  expectRefusal(await accounts.get('/settings'), 403, 'FORBIDDEN');
  expect((await accounts.get('/settings?entity_type=ACCOUNT')).status).toBe(200);
  expectRefusal(await accounts.get('/settings/setting.n.s.CUSTOMER.C1'), 403, 'FORBIDDEN');
});
