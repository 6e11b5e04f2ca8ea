import { createClient } from 'graphql-sse';
import { expect, it } from 'vitest';
import { tenantWithAccounts } from '../support/fixtures.ts';
import { useServer } from '../support/http-server.ts';
import { mutate } from '../support/mutations.ts';
import { useService } from '../support/service.ts';

const service = useService();
const socket = useServer((request, response) => service.listener(request, response));

it('delivers the changes of an account to the client of graphql-sse', async () => {
  const { token, ...client } = await tenantWithAccounts(service);
  let connected = () => {};
  const connection = new Promise<void>((resolve) => {
    connected = resolve;
  });
  const events = createClient({
    url: socket.url,
    headers: { authorization: `Bearer ${token}` },
    on: { connected: () => connected() },
  });
  const query = 'subscription($id: ID) { accountChanged(accountId: $id) { version after } }';
  const changes = events.iterate({ query, variables: { id: 'A1' } });
  const first = changes.next();
  await connection;
  for (const name of ['Second', 'Third'])
    await mutate({ token, ...client }, 'updateAccount', { id: 'A1', name });
  const answers = [await first, await changes.next()].map(({ value }) => value.data);
  expect(answers).toEqual([
    { accountChanged: { version: 2, after: { name: 'Second' } } },
    { accountChanged: { version: 3, after: { name: 'Third' } } },
  ]);
  await changes.return?.();
});
