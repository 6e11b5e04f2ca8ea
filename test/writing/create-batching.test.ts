import { expect, it } from 'vitest';
import { rowCounts, statementsOf, waitingStatements } from '../support/database.ts';
import { accountInput, createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { sendMutation, tryMutation } from '../support/mutations.ts';
import { readAccount } from '../support/reads.ts';
import { type Client, clientThrough, type Json, openImpatientApp, useService } from '../support/service.ts';

const service = useService();
const indexes = Array.from({ length: 30 }, (_, index) => index);

const history = `query($id: ID!) { account(id: $id) { createdAt history { nodes { kind requestId at after } } } }`;
const document = `mutation($input: CreateAccountInput!) { createAccount(input: $input) { __typename
  ... on CreateAccountSuccess { account { id name customer { name } aliases { value } } } } }`;

/** Creates an account with unique values and returns the result. */
async function create(client: Client, index: number): Promise<Json> {
  const input = {
    id: `A${index}`,
    name: `${client.tenantId} ${index}`,
    customerId: 'C1',
    aliases: [`alias ${index}`],
    settings: [{ id: 's', namespace: 'n', name: 'n', dataType: 'STRING', value: `${index}` }],
  };
  const answer = await client.send(document, { input }, { 'x-request-id': `${client.tenantId}-${index}` });
  return answer.data.createAccount;
}

it('creates the accounts of concurrent requests of two tenants in few statements', async () => {
  const clients = [await tenantWithCustomer(service), await tenantWithCustomer(service)];
  for (const client of clients) await create(client, -1);
  const statements = await statementsOf(service, async () => {
    await service.gather(clients.length * indexes.length);
    const answers = clients.flatMap((client) =>
      indexes.map(async (index) => {
        const { account } = await create(client, index);
        const name = `${client.tenantId} ${index}`;
        const aliases = [{ value: `alias ${index}` }];
        expect(account).toEqual({ id: `A${index}`, name, customer: { name: 'Acme' }, aliases });
      }),
    );
    await Promise.all(answers);
  });
  expect(statements.length).toBeLessThan(indexes.length);
  for (const client of clients) {
    expect(await rowCounts(service, client)).toMatchObject({
      accounts: 31,
      aliases: 62,
      settings: 31,
      changes: 32,
    });
    for (const index of indexes) {
      const { account } = (await client.send(history, { id: `A${index}` })).data;
      const [change, ...others] = account.history.nodes;
      expect(change).toMatchObject({
        kind: 'ACCOUNT_CREATED',
        requestId: `${client.tenantId}-${index}`,
        at: account.createdAt,
      });
      expect(change.after.settings).toMatchObject([{ value: `${index}` }]);
      expect(others).toEqual([]);
    }
  }
});

it('creates the other accounts if some are rejected for different reasons', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { id: 'first', aliases: ['taken'] });
  await createCustomer(client, { id: 'away' });
  await client.send('mutation { archiveCustomer(input: { id: "away" }) { __typename } }');
  const bad: Record<number, object> = {
    5: { aliases: ['taken'] },
    11: { id: 'first' },
    17: { customerId: 'nobody' },
    23: { customerId: 'away' },
  };
  const results = await Promise.all(
    indexes.map((index) =>
      tryMutation(client, 'createAccount', accountInput({ id: `A${index}`, ...bad[index] })),
    ),
  );
  const kinds = results.map(({ __typename }) => __typename);
  expect(kinds).toEqual(
    indexes.map(
      (index) =>
        ({ 5: 'AliasTakenError', 11: 'IdTakenError', 17: 'NotFoundError', 23: 'NotAllowedInStatusError' })[
          index
        ] ?? 'CreateAccountSuccess',
    ),
  );
  expect(results[5].clashes).toEqual([{ value: 'taken', accountId: 'first' }]);
  for (const index of indexes) expect((await readAccount(client, `A${index}`)) === null).toBe(index in bad);
});

it('creates one account for concurrent requests with one idempotency key, beside other requests', async () => {
  const client = await tenantWithCustomer(service);
  const results = await Promise.all(
    indexes.map((index) =>
      tryMutation(
        client,
        'createAccount',
        accountInput(index % 2 === 0 ? { id: `A${index}` } : { id: 'one', idempotencyKey: 'k' }),
      ),
    ),
  );
  const same = results.filter((_, index) => index % 2 === 1);
  const codes = new Set(same.map((result) => result.code ?? 'CREATED'));
  expect(same.filter(({ replayed }) => replayed === false)).toHaveLength(1);
  expect([...codes].filter((code) => code !== 'CREATED' && code !== 'IDEMPOTENCY_IN_PROGRESS')).toEqual([]);
  expect(results.filter((_, index) => index % 2 === 0).every(({ account }) => account)).toBe(true);
  expect(await rowCounts(service, client)).toMatchObject({ accounts: 16, idempotency_records: 1 });
});

it('creates accounts of other customers while another transaction locks a customer', async () => {
  const client = await tenantWithCustomer(service);
  await createCustomer(client, { id: 'held' });
  const held = await service.database.orm.transaction(async (tx) => {
    await tx.execute(`select from customers where tenant_id = ${client.tenantId} and id = 'held' for update`);
    const waiting: Promise<Json>[] = [];
    for (const id of ['held 1', 'held 2']) {
      waiting.push(tryMutation(client, 'createAccount', accountInput({ id, customerId: 'held' })));
      await expect.poll(() => waitingStatements(service)).toBe(waiting.length);
    }
    for (const index of indexes) await createAccount(client, { id: `A${index}` });
    return waiting;
  });
  for (const result of await Promise.all(held)) expect(result.__typename).toBe('CreateAccountSuccess');
});

it('creates the other accounts if the lock of one customer times out', async () => {
  const client = await tenantWithCustomer(service);
  await createCustomer(client, { id: 'held' });
  const impatient = openImpatientApp(service);
  const through = clientThrough(impatient, client);
  const create = (id: string, customerId: string) =>
    sendMutation(through, 'createAccount', { id, name: 'Account', customerId });
  await service.database.orm.transaction(async (tx) => {
    await tx.execute(`select from customers where tenant_id = ${client.tenantId} and id = 'held' for update`);
    const held = Promise.all(indexes.slice(0, 3).map((index) => create(`held ${index}`, 'held')));
    const others = await Promise.all(indexes.map((index) => create(`A${index}`, 'C1')));
    for (const { data } of others) expect(data.createAccount.__typename).toBe('CreateAccountSuccess');
    for (const { errors } of await held) expect(errors[0].extensions.code).toBe('SERVICE_UNAVAILABLE');
  });
  await impatient.close();
});
