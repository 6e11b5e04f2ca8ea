import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStream } from '../support/event-stream.ts';
import { startHive } from './hive.ts';
import type { Listening } from './listen.ts';
import { type Caller, useSubgraphs } from './support.ts';

const subgraphs = useSubgraphs();
let hive: Listening;
let caller: Caller;

beforeAll(async () => {
  hive = await startHive({ supergraph: subgraphs.supergraph() });
  caller = await subgraphs.newTenant();
  const createCustomer = `mutation { createCustomer(input: { id: "C1", name: "Acme", primaryEmail: "a@b.co",
    address: { city: "x" }, account: { id: "A1", name: "First" } }) { __typename } }`;
  expect((await caller.ask(subgraphs.urls.accounts, createCustomer)).errors).toBeUndefined();
});
afterAll(() => hive.close());

const rename = (name: string) =>
  caller.ask(
    subgraphs.urls.accounts,
    'mutation($name: String!) { updateAccount(input: { id: "A1", name: $name }) { __typename } }',
    {
      name,
    },
  );

// Apollo Gateway has no subscriptions, and Apollo Router's need a licence.
it('delivers changes through Hive Gateway, with fields of another subgraph, and continues after a position', async () => {
  const follow = `subscription($after: Position) { changes(after: $after) {
    position version account { name invoices(first: 1) { nodes { id } } } } }`;
  const latest = await caller.ask(hive.url, '{ changes { latestPosition } }');
  const after = latest.data.changes.latestPosition;
  const stream = await openStream(hive.url, caller, follow, { after });
  await rename('Second');
  const [first] = await stream.take(1);
  expect(first.data.changes).toMatchObject({
    version: 2,
    account: { name: 'Second', invoices: { nodes: [] } },
  });
  stream.leave();
  await rename('Third');
  const again = await openStream(hive.url, caller, follow, { after: first.data.changes.position });
  await rename('Fourth');
  expect((await again.take(2)).map(({ data }) => data.changes.version)).toEqual([3, 4]);
  again.leave();
});
