import { sql } from 'drizzle-orm';
import { expect, it } from 'vitest';
import { tenantWithCustomer } from '../support/fixtures.ts';
import { useService } from '../support/service.ts';

const service = useService();

const mutation = `mutation ($input: CreateAccountInput!) { createAccount(input: $input) { __typename } }`;
const input = { id: 'A1', name: 'Main account', customerId: 'C1' };

it.each([
  ['53100', "The database's disk is full. Nothing was written."],
  ['58030', 'The database cannot read or write its disk. Nothing was written.'],
  ['53200', 'The database is out of memory or connections. Nothing was written.'],
])('returns the missing resource if a write fails with SQLSTATE %s', async (state, reason) => {
  const client = await tenantWithCustomer(service);
  const { orm } = service.database;
  await orm.execute(
    sql`create or replace function fail() returns trigger language plpgsql as ${sql.raw(
      `$$ begin raise exception 'secret' using errcode = '${state}'; end $$`,
    )}`,
  );
  await orm.execute(sql`create or replace trigger fail before insert on accounts execute function fail()`);
  const message = `${reason} Try again in a moment.`;

  const { status, headers, errors } = await client.send(mutation, { input });
  expect([status, headers.get('retry-after')]).toEqual([503, '1']);
  expect(errors).toMatchObject([{ message, extensions: { code: 'SERVICE_UNAVAILABLE' } }]);

  const response = await service.fetch(
    new Request('http://localhost/accounts', {
      method: 'POST',
      headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(input),
    }),
  );
  expect(response.status).toBe(503);
  expect(response.headers.get('x-error-code')).toBe('SERVICE_UNAVAILABLE');
  expect(await response.json()).toEqual({ message });
  await orm.execute(sql`drop trigger fail on accounts`);
  expect((await client.send(mutation, { input })).data.createAccount.__typename).toBe('CreateAccountSuccess');
});
