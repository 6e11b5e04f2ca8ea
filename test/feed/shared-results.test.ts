import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStream, type Stream } from '../support/event-stream.ts';
import { createCustomer, tenantWithAccounts } from '../support/fixtures.ts';
import { useServer } from '../support/http-server.ts';
import { mutate } from '../support/mutations.ts';
import { type App, type Client, type Json, openApp, useService } from '../support/service.ts';
import { rename } from '../support/webhooks.ts';

const service = useService();
const socket = useServer((request, response) => service.listener(request, response));

const latest = async (client: Client): Promise<string> =>
  (await client.send('{ changes { latestPosition } }')).data.changes.latestPosition;
const open = (client: Client, document: string, variables: object = {}) =>
  openStream(socket.url, client, document, variables);
const next = async (stream: Stream): Promise<Json> => (await stream.take(1))[0];
const leave = (streams: Stream[]): void => {
  for (const stream of streams) stream.leave();
};

describe('subscriptions with the same document', () => {
  it.each([
    'subscription($after: Position) { changes(after: $after) { version accountId } }',
    'subscription($after: Position) { ...F } fragment F on Subscription { changes(after: $after) { version accountId } }',
    'subscription($after: Position) { ... on Subscription { changes(after: $after) { version accountId } } }',
    'subscription($after: Position) { changes: accountChanged(after: $after) { version accountId } }',
  ])('each continue after their own position: %s', async (document) => {
    const client = await tenantWithAccounts(service);
    const positions: string[] = [];
    for (const name of ['One', 'Two', 'Three']) {
      positions.push(await latest(client));
      await rename(client, 'A1', name);
    }
    const streams = await Promise.all(positions.map((after) => open(client, document, { after })));
    const live = await open(client, document);
    await rename(client, 'A1', 'Live');
    const seen = await Promise.all(
      streams.map(async (stream, index) =>
        (await stream.take(4 - index)).map(({ data }) => data.changes.version),
      ),
    );
    expect(seen).toEqual([
      [2, 3, 4, 5],
      [3, 4, 5],
      [4, 5],
    ]);
    expect((await next(live)).data.changes.version).toBe(5);
    leave([...streams, live]);
  });

  it('get the fields that their own scopes allow', async () => {
    const client = await tenantWithAccounts(service);
    const reader = await service.newKey(client, ['accounts:read']);
    const document = 'subscription { accountChanged { version customer { id } } }';
    const streams = [
      await open(client, document),
      await open(reader, document),
      await open(client, document),
      await open(reader, document),
    ];
    await rename(client, 'A1', 'Renamed');
    const [one, two, three, four] = await Promise.all(streams.map(next));
    for (const full of [one, three])
      expect(full).toEqual({ data: { accountChanged: { version: 2, customer: { id: 'C1' } } } });
    for (const [index, part] of [two, four].entries()) {
      expect(part.data).toEqual({ accountChanged: { version: 2, customer: null } });
      const requestId = streams[1 + 2 * index]?.headers.get('x-request-id');
      expect(part.errors[0].extensions).toMatchObject({ code: 'FORBIDDEN', requestId });
    }
    leave(streams);
  });

  it('get the changes and entities of their own tenant', async () => {
    const clients = [await tenantWithAccounts(service), await tenantWithAccounts(service)];
    const document = 'subscription { changes { after account { name } } }';
    const streams = await Promise.all([...clients, ...clients].map((client) => open(client, document)));
    for (const [index, client] of clients.entries()) await rename(client, 'A1', `Of tenant ${index}`);
    const seen = (await Promise.all(streams.map(next))).map(({ data }) => data.changes);
    const names = ['Of tenant 0', 'Of tenant 1', 'Of tenant 0', 'Of tenant 1'];
    expect(seen).toEqual(names.map((name) => ({ after: { name }, account: { name } })));
    leave(streams);
  });

  it('get results for their own variables', async () => {
    const client = await tenantWithAccounts(service);
    const document = `subscription($filter: ChangeFilter, $wide: Boolean!, $first: Int) {
      changes(filter: $filter) { version accountId name: account @include(if: $wide) { history(first: $first) { nodes { version } } } } }`;
    const variables = [
      { wide: false },
      { wide: true, first: 1 },
      { wide: true, first: 2 },
      { wide: true, first: 2, filter: { accountId: 'A2' } },
      { first: 2, wide: true, filter: {} },
    ];
    const streams = await Promise.all(variables.map((one) => open(client, document, one)));
    await rename(client, 'A1', 'Renamed');
    await rename(client, 'A2', 'Renamed');
    const [brief, one, two, filtered, last] = await Promise.all(streams.map(next));
    const versions = ({ data }: Json) => data.changes.name.history.nodes.map(({ version }: Json) => version);
    expect(brief.data.changes).toEqual({ version: 2, accountId: 'A1' });
    expect([one, two, last].map(versions)).toEqual([[2], [2, 1], [2, 1]]);
    expect(filtered.data.changes.accountId).toBe('A2');
    leave(streams);
  });

  it('name their operation, and run only that one', async () => {
    const client = await tenantWithAccounts(service);
    const query = `subscription One { changes { version } } subscription Two { changes { accountId } }`;
    const openNamed = async (operationName: string) => {
      const search = new URLSearchParams({ query, operationName });
      const response = await fetch(`${socket.url}?${search}`, {
        headers: { authorization: `Bearer ${client.token}`, accept: 'text/event-stream' },
      });
      return response;
    };
    const responses = [await openNamed('One'), await openNamed('Two')];
    await rename(client, 'A1', 'Renamed');
    const texts = responses.map(async ({ body }) => {
      let text = '';
      for await (const chunk of body ?? []) {
        text += Buffer.from(chunk).toString();
        if (text.includes('"changes"')) break;
      }
      return text;
    });
    const [one, two] = await Promise.all(texts);
    expect(one).toContain('{"changes":{"version":2}}');
    expect(two).toContain('{"changes":{"accountId":"A1"}}');
  });

  it('continue when others leave or fail', async () => {
    const client = await tenantWithAccounts(service);
    const document = 'subscription($after: Position) { changes(after: $after) { version } }';
    const streams = await Promise.all(Array.from({ length: 6 }, () => open(client, document)));
    const failed = await open(client, document, { after: 'wrong' });
    expect((await failed.next())?.data.errors[0].extensions.code).toBe('BAD_REQUEST');
    leave(streams.splice(0, 3));
    await rename(client, 'A1', 'One');
    streams.push(await open(client, document));
    await rename(client, 'A1', 'Two');
    const seen = await Promise.all(
      streams
        .slice(0, 3)
        .map(async (stream) => (await stream.take(2)).map(({ data }) => data.changes.version)),
    );
    expect(seen).toEqual([
      [2, 3],
      [2, 3],
      [2, 3],
    ]);
    leave(streams);
  });
});

describe('a subscription that joins while changes are written', () => {
  let replica: App;
  const second = useServer((request, response) => replica.listener(request, response));
  beforeAll(() => {
    replica = openApp(service.connection);
  });
  afterAll(() => replica.close());

  it('misses and repeats nothing, with and without a position', async () => {
    const client = await tenantWithAccounts(service);
    await createCustomer(client, { id: 'C2' });
    const document =
      'subscription($after: Position, $filter: ChangeFilter) { changes(after: $after, filter: $filter) { version accountId } }';
    const rounds = 60;
    let round = 0;
    const writing = (async () => {
      for (; round < rounds; round += 1)
        await mutate(client, 'updateAccount', { id: 'A1', name: `Round ${round}` });
    })();
    const joined: { stream: Stream; first: number | undefined }[] = [];
    while (round < rounds - 10) {
      const after = await latest(client);
      const isReplay = joined.length % 2 === 0;
      const url = joined.length % 4 < 2 ? socket.url : second.url;
      const filter = joined.length % 3 === 0 ? { accountId: 'A1' } : {};
      const stream = await openStream(url, client, document, { filter, ...(isReplay && { after }) });
      joined.push({ stream, first: undefined });
    }
    await writing;
    for (const { stream } of joined) {
      const versions: number[] = [];
      while (versions.at(-1) !== rounds + 1) versions.push((await next(stream)).data.changes.version);
      const [first = 0] = versions;
      expect(versions).toEqual(Array.from({ length: rounds + 2 - first }, (_, index) => first + index));
    }
    leave(joined.map(({ stream }) => stream));
  });
});
