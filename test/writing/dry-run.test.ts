import { describe, expect, it } from 'vitest';
import { statementsOf, stored, writesNothing } from '../support/database.ts';
import { accountInput, customerInput, tenantWithEverything } from '../support/fixtures.ts';
import { json } from '../support/http.ts';
import { type MutationCase, mutationCases, refusalsOf, tenantFor } from '../support/mutation-cases.ts';
import {
  atOnce,
  documentOf,
  isBulk,
  type MutationName,
  mutate,
  resultOf,
  sendMutation,
  tryEach,
  tryMutation,
} from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const dryRun = true;
const idempotencyKey = 'order-1';

const historyFields = 'history { totalCount nodes { kind version before after } }';
const accountFields = `${historyFields} aliasTimeline { totalCount nodes { value effectiveFrom effectiveUntil account { version } } }`;
const customerFields = `${historyFields} accounts(first: 50, filter: { status: [DRAFT, ACTIVE, ARCHIVED] }) {
  totalCount nodes { id status version aliases { value } settings { id value } } }`;

/** Sends a mutation that also selects lists of the changed entities, which no command keeps for the response. */
async function sendDeep(client: Client, name: MutationName, input: object): Promise<Json> {
  const document = documentOf(name)
    .replaceAll('...AccountFields }', `...AccountFields ${accountFields} }`)
    .replaceAll('...CustomerFields }', `...CustomerFields ${customerFields} }`);
  return resultOf(await client.send(document, isBulk(name) ? { inputs: [input] } : { input }), name);
}

const instants = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;

/** Returns a result without what differs between a dry run and the write after it: node ids, instants and `dryRun`. */
function comparable(result: Json): Json {
  const differs = ({ key, value }: { key: string; value: unknown }) =>
    key === 'dryRun' || (key === 'nodeId' && typeof value === 'string');
  const text = JSON.stringify(result, (key, value) => (differs({ key, value }) ? '-' : value));
  return JSON.parse(text.replaceAll(instants, 'instant'));
}

describe.concurrent.each(mutationCases)('$name with dryRun', (one: MutationCase) => {
  const { name, input } = one;
  const keyed = { ...input, idempotencyKey };

  it('returns what the write would return, and writes nothing', async () => {
    const client = await tenantFor(service, one);
    const dry = await writesNothing(service, [client], () => sendDeep(client, name, { ...input, dryRun }));
    expect(dry).toMatchObject({ replayed: false, dryRun: true });
    const real = await sendDeep(client, name, input);
    expect(real).toMatchObject({ replayed: false, dryRun: false });
    expect(comparable(dry)).toEqual(comparable(real));
  });

  it('returns the refusal of the write, and writes nothing', async () => {
    const client = await tenantFor(service, one);
    for (const refused of [...refusalsOf(one), { ...input, idempotencyKey: 'a b' }]) {
      const send = (more: object) => () => tryMutation(client, name, { ...refused, ...more });
      const dry = await writesNothing(service, [client], send({ dryRun }));
      expect(dry).toMatchObject({ code: expect.any(String) });
      expect(dry).toEqual(await send({})());
    }
  });

  it('neither uses nor replays an idempotency key', async () => {
    const client = await tenantFor(service, one);
    const send = (more: object) => tryMutation(client, name, { ...keyed, ...more });
    await writesNothing(service, [client], () => send({ dryRun }));
    const other = await tryMutation(client, name, { ...one.other, idempotencyKey });
    expect(other).toMatchObject({ replayed: false, dryRun: false });
    const dry = await writesNothing(service, [client], () => send({ dryRun }));
    expect(dry).toMatchObject({ replayed: false, dryRun: true });
    const replay = await tryMutation(client, name, { ...one.other, idempotencyKey, dryRun: false });
    expect(replay).toEqual({ ...other, replayed: true });
  });
});

const rename = (id: string, name: string, more = '') =>
  `updateAccount(input: { id: "${id}", name: "${name}" ${more} }) { ... on UpdateAccountSuccess { dryRun account { name version } } ... on Error { message } }`;
const dry = 'dryRun: true';

describe.concurrent('a request of several dry runs', () => {
  it('has fields that see the writes of the fields before them', async () => {
    const client = await tenantWithEverything(service);
    const document = `mutation {
      a: createCustomer(input: { id: "C9", name: "New", primaryEmail: "a@acme.com", address: { country: "US" }, ${dry} }) { __typename }
      b: createAccount(input: { id: "A9", name: "New", customerId: "C9", aliases: ["n"], ${dry} }) { __typename }
      c: transferAlias(input: { alias: "n", toAccountId: "A1", ${dry} }) { ... on TransferAliasSuccess { account { aliases { value } } } }
      d: archiveCustomer(input: { id: "C9", ${dry} }) { ... on NotAllowedInStatusError { liveAccountIds } } }`;
    const { data } = await writesNothing(service, [client], () => client.send(document));
    expect(data).toEqual({
      a: { __typename: 'CreateCustomerSuccess' },
      b: { __typename: 'CreateAccountSuccess' },
      c: { account: { aliases: [{ value: 'x' }, { value: 'y' }, { value: 'n' }] } },
      d: { liveAccountIds: ['A9'] },
    });
  });

  it('has inputs that see each other', async () => {
    const client = await tenantWithEverything(service);
    const create = () =>
      tryEach(client, 'createAccounts', [
        { ...accountInput({ id: 'A9', aliases: ['n'] }), dryRun },
        { ...accountInput({ id: 'A9' }), dryRun },
        { ...accountInput({ id: 'A8', aliases: ['n'] }), dryRun },
      ]);
    const update = () =>
      tryEach(client, 'updateAccounts', [
        { id: 'A1', name: 'First', expectedVersion: 1, dryRun },
        { id: 'A1', tags: ['t'], expectedVersion: 2, dryRun },
      ]);
    const customers = () =>
      tryEach(client, 'createCustomers', [
        { ...customerInput({ id: 'C9' }), dryRun },
        { ...customerInput({ id: 'C9' }), dryRun },
      ]);
    const codes = async (work: () => Promise<Json[]>) =>
      (await writesNothing(service, [client], work)).map(({ code, dryRun: isDry }) => code ?? isDry);
    expect(await codes(create)).toEqual([true, 'ID_TAKEN', 'ALIAS_TAKEN']);
    expect(await codes(update)).toEqual([true, true]);
    expect(await codes(customers)).toEqual([true, 'ID_TAKEN']);
  });
});

describe.concurrent('a request with dry runs and writes', () => {
  const inputs = [
    { id: 'A1', name: 'x', dryRun: true },
    { id: 'A2', name: 'x' },
    { id: 'A4', name: 'x', dryRun: null },
  ];
  const bulk = 'mutation($inputs: [UpdateAccountInput!]!) { updateAccounts(inputs: $inputs) { __typename } }';

  it.each([
    ['in two fields', `mutation { ${rename('A1', 'x')} b: ${rename('A2', 'x', dry)} }`, {}, ['b.input']],
    [
      'in a fragment',
      `mutation { ${rename('A1', 'x', dry)} ...F } fragment F on Mutation { ... { b: ${rename('A2', 'x')} } }`,
      {},
      ['b.input'],
    ],
    ['in a list', bulk, { inputs }, ['updateAccounts.inputs.1', 'updateAccounts.inputs.2']],
    [
      'in a default of a variable',
      `mutation($dry: Boolean = true) { ${rename('A1', 'x')} b: ${rename('A2', 'x', 'dryRun: $dry')} }`,
      {},
      ['b.input'],
    ],
    [
      'in a mutation without dry runs',
      `mutation { ${rename('A1', 'x', dry)} createWebhookEndpoint(input: { url: "https://example.com" }) { __typename } }`,
      {},
      ['createWebhookEndpoint.input'],
    ],
  ])('is refused as a whole: %s', async (_, document, variables, paths) => {
    const client = await tenantWithEverything(service);
    const { data, errors } = await writesNothing(service, [client], () => client.send(document, variables));
    expect(data).toBeUndefined();
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_REQUEST' } }]);
    const { issues } = errors[0].extensions;
    expect(issues.map(({ path }: Json) => path.join('.'))).toEqual(paths.map((path) => `${path}.dryRun`));
    expect(errors[0].message).toContain('must be the same in all inputs of a request');
  });

  it('is accepted if directives exclude one of them', async () => {
    const client = await tenantWithEverything(service);
    const document = `mutation($dry: Boolean!) {
      ... @include(if: $dry) { a: ${rename('A1', 'Dry', dry)} } ... @skip(if: $dry) { b: ${rename('A1', 'Real')} } }`;
    const a = await writesNothing(service, [client], () => client.send(document, { dry: true }));
    expect(a.data).toEqual({ a: { dryRun: true, account: { name: 'Dry', version: 2 } } });
    const b = await client.send(document, { dry: false });
    expect(b.data).toEqual({ b: { dryRun: false, account: { name: 'Real', version: 2 } } });
  });
});

describe.concurrent('concurrent dry runs and writes', () => {
  it('do not affect each other', async () => {
    const client = await tenantWithEverything(service);
    const [dryResults, results] = await Promise.all([
      atOnce(20, (runner) => sendDeep(client, 'updateAccount', { id: 'A2', name: `Dry ${runner}`, dryRun })),
      atOnce(20, (runner) => mutate(client, 'updateAccount', { id: 'A2', name: `Real ${runner}` })),
      atOnce(20, (runner) =>
        sendDeep(client, 'createAccount', { ...accountInput({ id: `D${runner}` }), dryRun }),
      ),
      atOnce(20, (runner) => mutate(client, 'createAccount', accountInput({ id: `D${runner}` }))),
    ]);
    dryResults.forEach(({ account, dryRun: isDry }, runner) => {
      expect([account.name, isDry]).toEqual([`Dry ${runner}`, true]);
      expect(account.history.totalCount).toBe(account.version);
    });
    const versions = results.map(({ version }) => version).toSorted((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: 20 }, (_, index) => index + 2));
    const { accounts, changes } = await stored(service, client);
    expect(accounts.filter(({ id }) => id.startsWith('D'))).toHaveLength(20);
    expect(changes.filter(({ after }) => String(after?.name).startsWith('Dry'))).toEqual([]);
  });
});

describe.concurrent('a dry run', () => {
  it('has a complete response, also for a client that accepts parts', async () => {
    const client = await tenantWithEverything(service);
    const query = `mutation { updateAccount(input: { id: "A1", name: "x", ${dry} }) {
      ... on UpdateAccountSuccess { account { name ... @defer { history { totalCount } } } } } }`;
    const response = await writesNothing(service, [client], () =>
      service.fetch(
        new Request('http://localhost/graphql', {
          method: 'POST',
          headers: {
            authorization: `Bearer ${client.token}`,
            ...json,
            accept: 'multipart/mixed, application/json',
          },
          body: JSON.stringify({ query }),
        }),
      ),
    );
    expect(await response.json()).toEqual({
      data: { updateAccount: { account: { name: 'x', history: { totalCount: 2 } } } },
    });
  });
});

it('joins no batch of concurrent requests', async () => {
  const clients = [await tenantWithEverything(service), await tenantWithEverything(service)];
  const send = (client: Client, runner: number) =>
    sendMutation(client, 'createAccount', { ...accountInput({ id: `D${runner}` }), dryRun });
  const statements = await statementsOf(service, async () => {
    await service.gather(10);
    await Promise.all(clients.map((client) => atOnce(5, (runner) => send(client, runner))));
  });
  const creations = statements.filter((text) => text.includes('insert into "accounts"'));
  expect(creations).toHaveLength(10);
});
