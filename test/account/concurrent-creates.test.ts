import { expect, it } from 'vitest';
import { rowCounts } from '../support/database.ts';
import { accountInput, createAccount, customerInput, tenantWithCustomer } from '../support/fixtures.ts';
import { tryMutation } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const runners = 20;

/** Sends the requests concurrently and returns their results. */
function race(send: (runner: number) => Promise<Json>): Promise<Json[]> {
  return Promise.all(Array.from({ length: runners }, (_, runner) => send(runner)));
}

/** Fails unless one request created an account and the others failed with this error and wrote nothing. */
async function expectOneWinner(client: Client, results: Json[], loser: (winner: Json) => object) {
  const winners = results.filter((result) => result.__typename === 'CreateAccountSuccess');
  expect(winners).toHaveLength(1);
  const others = results.filter((result) => result !== winners[0]);
  for (const other of others) expect(other).toMatchObject(loser(winners[0].account));
  expect(await rowCounts(service, client)).toMatchObject({ accounts: 1, changes: 2, settings: 1 });
  return winners[0].account;
}

const settings = [{ id: 's', namespace: 'n', name: 'n', dataType: 'STRING', value: 'v' }];

it('creates one account if many concurrent requests use one id', async () => {
  const client = await tenantWithCustomer(service);
  const results = await race((runner) =>
    tryMutation(
      client,
      'createAccount',
      accountInput({ name: `Account ${runner}`, aliases: [`alias-${runner}`], settings }),
    ),
  );
  await expectOneWinner(client, results, () => ({ __typename: 'IdTakenError', id: 'A1', accountId: 'A1' }));
  expect((await rowCounts(service, client)).aliases).toBe(2);
});

it('creates one account if many concurrent requests claim one alias', async () => {
  const client = await tenantWithCustomer(service);
  const results = await race((runner) =>
    tryMutation(
      client,
      'createAccount',
      accountInput({ id: `A-${runner}`, aliases: ['shared', `own-${runner}`], settings }),
    ),
  );
  await expectOneWinner(client, results, ({ id }) => ({
    __typename: 'AliasTakenError',
    clashes: [{ value: 'shared', accountId: id }],
  }));
  expect((await rowCounts(service, client)).aliases).toBe(3);
});

/** Slows every alias insert of this tenant, so that the inserts of two requests interleave. */
async function slowDownClaims({ tenantId }: Client): Promise<void> {
  const { orm } = service.database;
  await orm.execute(`create function slow_${tenantId}() returns trigger language plpgsql as
    $$ begin perform pg_sleep(0.005); return new; end $$`);
  await orm.execute(`create trigger slow_${tenantId} before insert on aliases for each row
    when (new.tenant_id = ${tenantId}) execute function slow_${tenantId}()`);
}

it('creates one account without a deadlock if requests claim the same aliases in opposite orders', async () => {
  const client = await tenantWithCustomer(service);
  await slowDownClaims(client);
  const values = Array.from({ length: 10 }, (_, index) => `alias-${index}`);
  const results = await race((runner) =>
    tryMutation(
      client,
      'createAccount',
      accountInput({
        id: `A-${runner}`,
        aliases: runner % 2 === 0 ? values : values.toReversed(),
        settings,
      }),
    ),
  );
  await expectOneWinner(client, results, () => ({ __typename: 'AliasTakenError' }));
  expect((await rowCounts(service, client)).aliases).toBe(11);
});

it('accepts a value as an id or as an alias, never as both', async () => {
  const client = await tenantWithCustomer(service);
  const results = await race((runner) =>
    tryMutation(
      client,
      'createAccount',
      accountInput(
        runner % 2 === 0 ? { id: 'x', settings } : { id: `A-${runner}`, aliases: ['x'], settings },
      ),
    ),
  );
  await expectOneWinner(client, results, () => ({ code: expect.stringMatching(/^(ID|ALIAS)_TAKEN$/) }));
});

it('creates all accounts that claim one value for spans that do not overlap', async () => {
  const client = await tenantWithCustomer(service);
  const year = (runner: number) => `${2000 + runner}-01-01T00:00:00Z`;
  const accounts = await race((runner) =>
    createAccount(client, {
      id: `A-${runner}`,
      datedAliases: [{ value: 'x', effectiveFrom: year(runner), effectiveUntil: year(runner + 1) }],
    }),
  );
  expect(accounts).toHaveLength(runners);
});

it('creates one customer with its first account if many concurrent requests use one id', async () => {
  const client = await service.newTenant();
  const results = await race((runner) =>
    tryMutation(
      client,
      'createCustomer',
      customerInput({ account: { id: `A-${runner}`, name: 'First', aliases: ['x'] } }),
    ),
  );
  const winners = results.filter((result) => result.__typename === 'CreateCustomerSuccess');
  expect(winners).toHaveLength(1);
  for (const result of results.filter((one) => one !== winners[0])) {
    expect(result.code).toMatch(/^(ID|ALIAS)_TAKEN$/);
  }
  expect(await rowCounts(service, client)).toMatchObject({
    customers: 1,
    accounts: 1,
    aliases: 2,
    changes: 2,
  });
});

it('creates all concurrent accounts of one customer that share no value', async () => {
  const client = await tenantWithCustomer(service);
  await race((runner) => createAccount(client, { id: `A-${runner}`, aliases: [`x-${runner}`] }));
  expect(await rowCounts(service, client)).toMatchObject({ accounts: runners, aliases: 2 * runners });
});
