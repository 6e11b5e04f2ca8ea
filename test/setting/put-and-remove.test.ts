import { describe, expect, it } from 'vitest';
import { changesOf, stored, writesNothing } from '../support/database.ts';
import { listOf, x } from '../support/field-limits.ts';
import { setting, tenantWithAccounts, useSharedTenant } from '../support/fixtures.ts';
import { accepted, atOnce, mutate, refused, tryMutation } from '../support/mutations.ts';
import { readAccount, readCustomer } from '../support/reads.ts';
import { issuesOf } from '../support/refusal.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const key = (id: string, namespace = 'n') => ({ namespace, id });
const shown = (settings: Json[]) =>
  settings.map(({ namespace, id, value }) => `${namespace}.${id}=${value}`).toSorted();
const many = (count: number, prefix = 'm') => listOf(count, (index) => setting(`${prefix}-${index}`));

const owners = [
  ['an account', { accountId: 'A2' }, (client: Client) => readAccount(client, 'A2')],
  ['a customer', { customerId: 'C1' }, (client: Client) => readCustomer(client, 'C1')],
] as const;

describe.concurrent.each(owners)('putSettings and removeSettings of %s', (_, owner, read) => {
  const put = (client: Client, settings: object[]) =>
    tryMutation(client, 'putSettings', { ...owner, settings });
  const remove = (client: Client, settings: object[]) =>
    tryMutation(client, 'removeSettings', { ...owner, settings });

  it('adds settings, and changes those with the same namespace and id', async () => {
    const client = await tenantWithAccounts(service);
    const first = await put(client, [setting('s'), setting('s', { namespace: 'o' }), setting('t')]);
    expect(first).toMatchObject({ __typename: 'PutSettingsSuccess', replayed: false });
    expect([first.account === null, first.customer === null]).toEqual(
      'accountId' in owner ? [false, true] : [true, false],
    );
    const changed = { name: 'Other', dataType: 'NUMERIC', value: '7' };
    await put(client, [setting('u'), setting('s', changed)]);
    const { settings, version } = await read(client);
    expect(version).toBe(3);
    expect(shown(settings)).toEqual(['n.s=7', 'n.t=v', 'n.u=v', 'o.s=v']);
    expect(settings).toContainEqual(setting('s', changed));
  });

  it('removes settings by namespace and id, all or none', async () => {
    const client = await tenantWithAccounts(service);
    await put(client, [setting('s'), setting('s', { namespace: 'o' }), setting('t')]);
    const removed = await remove(client, [key('s', 'o'), key('t')]);
    expect(shown((removed.account ?? removed.customer).settings)).toEqual(['n.s=v']);
    expect((await read(client)).version).toBe(3);
    const partly = () => remove(client, [key('s'), key('s', 'o')]);
    expect(await writesNothing(service, [client], partly)).toMatchObject({
      __typename: 'NotFoundError',
      type: 'Setting',
      id: 'o.s',
    });
  });

  it('accepts at most 100 settings and always accepts changes of existing ones', async () => {
    const client = await tenantWithAccounts(service);
    expect(await put(client, many(99))).toMatchObject({ replayed: false });
    const limited = { __typename: 'LimitExceededError', code: 'LIMIT_EXCEEDED', limit: 100 };
    const two = () => put(client, [setting('one'), setting('two')]);
    expect(await writesNothing(service, [client], two)).toMatchObject(limited);
    expect(await put(client, [setting('one'), setting('m-0', { value: 'w' })])).toMatchObject({
      replayed: false,
    });
    expect(await put(client, [setting('two')])).toMatchObject(limited);
    expect(await put(client, many(100).with(99, setting('one', { value: 'w' })))).toMatchObject({
      replayed: false,
    });
    await remove(client, [key('m-1')]);
    expect(await put(client, [setting('two')])).toMatchObject({ replayed: false });
    expect((await read(client)).settings).toHaveLength(100);
  });

  it('accepts at most 100 settings from concurrent requests', async () => {
    const client = await tenantWithAccounts(service);
    await put(client, many(90));
    const results = await atOnce(20, (runner) => put(client, [setting(`n-${runner}`)]));
    expect(accepted(results)).toHaveLength(10);
    for (const result of refused(results))
      expect(result).toMatchObject({ code: 'LIMIT_EXCEEDED', limit: 100 });
    expect(await read(client)).toMatchObject({ version: 12, settings: { length: 100 } });
  });

  it('writes the settings of all concurrent requests that share some settings', async () => {
    const client = await tenantWithAccounts(service);
    const before = await changesOf(service, client);
    const results = await atOnce(20, (runner) => {
      const settings = [...many(5, 'shared'), setting(`own-${runner}`)];
      return put(client, runner % 2 ? settings : settings.toReversed());
    });
    expect(accepted(results)).toHaveLength(20);
    expect((await read(client)).settings).toHaveLength(25);
    expect(await changesOf(service, client)).toHaveLength(before.length + 20);
  });
});

describe.concurrent('putSettings and removeSettings with invalid input', () => {
  const one = { settings: [setting('s')] };
  const cases: [what: string, name: 'putSettings' | 'removeSettings', input: object, issues: string[]][] = [
    ['no owner', 'putSettings', one, ['accountId REQUIRED']],
    ['no owner', 'removeSettings', { settings: [key('s')] }, ['accountId REQUIRED']],
    [
      'two owners',
      'putSettings',
      { ...one, accountId: 'A1', customerId: 'C1' },
      ['customerId INVALID_VALUE'],
    ],
    [
      'two owners',
      'removeSettings',
      { settings: [key('s')], accountId: 'A1', customerId: 'C1' },
      ['customerId INVALID_VALUE'],
    ],
    ['no settings', 'putSettings', { accountId: 'A1', settings: [] }, ['settings TOO_FEW']],
    ['no settings', 'removeSettings', { accountId: 'A1', settings: [] }, ['settings TOO_FEW']],
    ['101 settings', 'putSettings', { accountId: 'A1', settings: many(101) }, ['settings TOO_MANY']],
    [
      'a setting twice',
      'putSettings',
      { accountId: 'A1', settings: [setting('s'), setting('s', { value: 'w' })] },
      ['settings.1 DUPLICATE'],
    ],
    [
      'a setting twice',
      'removeSettings',
      { accountId: 'A1', settings: [key('s'), key('s')] },
      ['settings.1 DUPLICATE'],
    ],
    [
      'values that do not match their types',
      'putSettings',
      {
        accountId: 'A1',
        settings: [
          setting('a', { dataType: 'NUMERIC', value: '1,5' }),
          setting('b', { dataType: 'JSON', value: '{' }),
          setting('c', { dataType: 'JSON_LOGIC', value: '{"a": 1, "b": 2}' }),
          setting('d', { value: x(4097) }),
        ],
      },
      [
        'settings.0.value INVALID_FORMAT',
        'settings.1.value INVALID_FORMAT',
        'settings.2.value INVALID_FORMAT',
        'settings.3.value TOO_LONG',
      ],
    ],
  ];
  const tenant = useSharedTenant(() => tenantWithAccounts(service));
  it.each(cases)('rejects %s: %s', async (_, name, input, expected) => {
    const { client } = tenant;
    const answer = await writesNothing(service, [client], () => tryMutation(client, name, input));
    expect(issuesOf(answer).map(({ path, code }) => `${path.join('.')} ${code}`)).toEqual(expected);
  });

  it.each([
    ['account', { accountId: 'C1' }, 'Account'],
    ['customer', { customerId: 'A1' }, 'Customer'],
  ])('rejects an owner that is not an existing %s', async (_, owner, type) => {
    const { client } = tenant;
    const answer = await writesNothing(service, [client], () =>
      tryMutation(client, 'putSettings', { ...owner, ...one }),
    );
    expect(answer).toMatchObject({ __typename: 'NotFoundError', type });
  });
});

it('keeps the settings of an account and a customer with the same id apart', async () => {
  const client = await tenantWithAccounts(service);
  const account = { id: 'C1', name: 'Of the same id', customerId: 'C1' };
  await mutate(client, 'createAccount', account);
  await mutate(client, 'putSettings', { accountId: 'C1', settings: [setting('s', { value: 'a' })] });
  await mutate(client, 'putSettings', { customerId: 'C1', settings: [setting('s', { value: 'c' })] });
  await mutate(client, 'removeSettings', { accountId: 'C1', settings: [key('s')] });
  const { settings } = await stored(service, client);
  const left = settings.filter(({ owner_id }) => owner_id === 'C1');
  expect(left).toMatchObject([{ owner_type: 'CUSTOMER', value: 'c' }]);
});

it('says that a number is too large, not that it is infinite', async () => {
  const client = await tenantWithAccounts(service);
  const settings = [setting('s', { dataType: 'NUMERIC', value: '1e400' })];
  const answer = await tryMutation(client, 'putSettings', { accountId: 'A1', settings });
  expect(answer.issues).toMatchObject([{ message: expect.stringContaining('too large') }]);
});
