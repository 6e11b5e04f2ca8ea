import { createHash, randomUUID } from 'node:crypto';
import { GraphQLDeferDirective, GraphQLStreamDirective } from '@graphql-tools/utils';
import fc from 'fast-check';
import { execute, GraphQLSchema, parse, validate } from 'graphql';
import { pino } from 'pino';
import { beforeAll, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/auth/authenticate.ts';
import { createContext } from '../../src/context.ts';
import { createAppend } from '../../src/feed/append.ts';
import { createLiveFeed } from '../../src/feed/live.ts';
import { createCancel } from '../../src/lib/cancel.ts';
import { maskError } from '../../src/pipeline/errors.ts';
import { buildSchema } from '../../src/schema.ts';
import { expectSame, isTooComplex, partsIn, whole } from './compare-responses.ts';
import { createAccount, createCustomer, tenantWithCustomer } from './fixtures.ts';
import { type Dice, diceOf, odd, type Pool } from './fuzz.ts';
import { type Operation, operation } from './fuzz-documents.ts';
import { useServer } from './http-server.ts';
import { type Client, type Json, type Service, useService } from './service.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const log = pino({ level: 'silent' });

const oneBody = 'application/json';
const inParts = 'multipart/mixed;deferSpec=20220824, application/graphql-response+json, application/json';
const accepts = [oneBody, inParts];

const accountIds = ['A1', 'A2', 'A3', 'A4', 'A5', 'A6', 'A7', 'A8'];
const existingAliases = accountIds.map((id) => `${id}-x`);

function directivesForParts(): GraphQLSchema {
  const config = buildSchema().toConfig();
  const directives = [...config.directives, GraphQLDeferDirective, GraphQLStreamDirective];
  return new GraphQLSchema({ ...config, directives });
}

/** Creates a few customers and accounts and returns values for documents about them. */
async function createEntities(client: Client): Promise<Pool> {
  await createCustomer(client, { id: 'C2' });
  for (const id of accountIds)
    await createAccount(client, { id, aliases: [`${id}-x`], tags: ['t'], metadata: { plan: 'gold' } });
  const { data } = await client.send('{ accounts { pageInfo { endCursor } nodes { nodeId } } }');
  const nodeIds = data.accounts.nodes.map(({ nodeId }: Json) => nodeId);
  return {
    names: [...accountIds, ...existingAliases, 'C1', 'C2', 'new-1', 'new-2', ...nodeIds],
    cursors: [data.accounts.pageInfo.endCursor, ...odd],
    instants: ['2020-01-01T00:00:00Z', '2030-01-01T00:00:00.5+02:00', ...odd],
    texts: ['Some name', 'a@b.example', 'US', 'EUR', 'n', '{"a":1}', '42'],
    byName: goodValues,
    newKey: randomUUID,
  };
}

const goodValues = {
  accountId: accountIds,
  additionalEmailRecipients: ['c@b.example'],
  country: ['US', 'DE'],
  customerId: ['C1'],
  emailRecipients: ['b@b.example'],
  expectedVersion: [1],
  first: [1, 2, 5],
  invoiceCurrency: ['EUR'],
  key: ['plan'],
  last: [2],
  metadata: [{ plan: 'gold', x: 'y' }, {}],
  name: ['Some name'],
  namespace: ['n'],
  netTermDays: [5, 30],
  phoneNumber: ['+1 555 0100'],
  postalCode: ['29501'],
  primaryEmail: ['a@b.example'],
  tag: ['t'],
  toAccountId: accountIds,
  value: ['42', '{"==":[1,1]}'],
};

/** Adds a new name to the values of one document. */
function withFresh(pool: Pool, fresh: string): Pool {
  const aliases = [...existingAliases, fresh, fresh];
  const byName = {
    ...pool.byName,
    id: [...accountIds, 'C1', 'C2', fresh, fresh, fresh],
    alias: aliases,
    aliases,
  };
  return { ...pool, names: [...pool.names, fresh], byName };
}

type Way = (sent: Operation, accept: string) => Promise<Json>;

interface Compared {
  service: Service;
  client: Client;
  url: string;
  schema: GraphQLSchema;
  /** The trusted documents of the service. */
  trusted: Map<string, string>;
  counts: Record<'documents' | 'mutations' | 'written' | 'withData' | 'requests' | 'inParts', number>;
}

/** Runs an operation with graphql-js and a context that shares nothing. Returns `undefined` for an invalid document. */
async function reference({ schema, service, client }: Compared, { query, variables }: Operation) {
  const document = parse(query);
  if (validate(schema, document).length > 0) return undefined;
  const viewer = await createAuthenticator({ database: service.database })(`Bearer ${client.token}`);
  if (viewer === undefined) throw new Error('The token is unknown.');
  const caller = { viewer, requestId: 'reference', now: new Date(), cancel: createCancel() };
  const { database } = service;
  const append = createAppend(database);
  const feed = { append, live: createLiveFeed({ database, log, append }) };
  const contextValue = createContext({ database, log, feed }, caller);
  const options = { maxCoercionErrors: 5 };
  const result = await execute({ schema, document, contextValue, variableValues: variables, options });
  const errors = (result.errors ?? []).map((error) => maskError(error).toJSON());
  return JSON.parse(JSON.stringify({ data: result.data, errors })) as Json;
}

/** Returns the ways to send an operation to the service. */
function waysThrough({
  client,
  url,
  trusted,
  counts,
}: Compared): Record<'post' | 'get' | 'apq' | 'trusted', Way> {
  async function send(init: RequestInit & { search?: string }, accept: string): Promise<Json> {
    counts.requests += 1;
    const headers = { authorization: `Bearer ${client.token}`, 'content-type': 'application/json', accept };
    const response = await fetch(`${url}${init.search ?? ''}`, { ...init, headers });
    const text = await response.text();
    if (!response.headers.get('content-type')?.startsWith('multipart/')) return JSON.parse(text);
    counts.inParts += 1;
    return whole(partsIn(text));
  }
  const post = (params: object, accept: string) =>
    send({ method: 'POST', body: JSON.stringify(params) }, accept);
  return {
    post: (sent, accept) => post(sent, accept),
    get(sent, accept) {
      const search = `?${new URLSearchParams({ query: sent.query, variables: JSON.stringify(sent.variables) })}`;
      // Node.js limits the head of a request to 16 kB.
      return search.length < 12_000 ? send({ search, method: 'GET' }, accept) : post(sent, accept);
    },
    async apq({ query, variables }, accept) {
      const extensions = { persistedQuery: { version: 1, sha256Hash: sha256(query) } };
      const answer = await post({ variables, extensions }, accept);
      const isUnknown = answer.errors?.[0]?.message === 'PersistedQueryNotFound';
      return isUnknown ? post({ query, variables, extensions }, accept) : answer;
    },
    trusted({ query, variables }, accept) {
      trusted.set(`t-${sha256(query)}`, query);
      return post({ documentId: `t-${sha256(query)}`, variables }, accept);
    },
  };
}

/** Sends a query three times in each way and compares each response with that of graphql-js. */
async function checkQuery(compared: Compared, sent: Operation): Promise<void> {
  const ways = waysThrough(compared);
  // graphql-js has no result for an invalid document. The errors of the service must not change.
  const expected = (await reference(compared, sent)) ?? (await ways.post(sent, oneBody));
  if (expected.data) compared.counts.withData += 1;
  if (isTooComplex(expected)) return;
  for (let time = 0; time < 3; time += 1) {
    const checks = Object.entries(ways).flatMap(([name, way]) =>
      accepts.map(async (accept) => {
        const answer = await way(sent, accept);
        if (isTooComplex(answer)) return;
        expectSame(answer, expected, accept === oneBody, `${name}, ${accept}, time ${time}`);
      }),
    );
    await Promise.all(checks);
  }
}

/** Sends a mutation in three ways and to graphql-js, and expects the first result replayed each time. */
async function checkMutation(compared: Compared, sent: Operation, isReferenceFirst: boolean): Promise<void> {
  const { counts, schema } = compared;
  const { post, apq, trusted } = waysThrough(compared);
  counts.mutations += 1;
  const plain = () => reference(compared, sent);
  const byDoor = [post, apq, trusted].map((way, index) => () => way(sent, accepts[index % 2] ?? oneBody));
  const isValid = validate(schema, parse(sent.query)).length === 0;
  const order = isReferenceFirst ? [plain, ...byDoor] : [...byDoor, plain];
  const answers: Json[] = [];
  for (const answer of isValid ? order : byDoor) answers.push(await answer());
  if (answers.some(isTooComplex)) return;
  for (const [index, answer] of answers.entries()) expectSame(answer, answers[0], false, `answer ${index}`);
  const [first = [], ...later] = answers.map((answer) =>
    Array.from(JSON.stringify(answer).matchAll(/"replayedProbe":(true|false)/g), ([, value]) => value),
  );
  if (first.length > 0) counts.written += 1;
  expect(first).not.toContain('true');
  for (const again of later) expect(again).not.toContain('false');
}

async function checkOne(compared: Compared, dice: Dice, pool: Pool): Promise<void> {
  const isQuery = dice.chance(65);
  const isReferenceFirst = dice.chance(50);
  const options = { spoiltPercent: 10, probesReplay: true, listLengths: [0, 1, 1, 2, 3] };
  const values = withFresh(pool, `n-${compared.counts.documents}`);
  const made = operation(compared.schema, (isQuery ? 'query' : 'mutation') as never, dice, values, options);
  // As in a request, an undefined variable is absent.
  const sent: Operation = JSON.parse(JSON.stringify(made));
  try {
    parse(sent.query);
  } catch {
    return;
  }
  compared.counts.documents += 1;
  const check = isQuery ? checkQuery(compared, sent) : checkMutation(compared, sent, isReferenceFirst);
  await check.catch((error: Error) => {
    throw new Error(`${JSON.stringify(sent)}\n${error.message}`);
  });
}

/** Tests every way to send an operation against `execute` of graphql-js. */
export function testAgainstReference(count: number, seed?: number): void {
  const trusted = new Map<string, string>();
  // The reference has no keys for webhooks either.
  const webhooks = { keys: [], schedule: [], allowPrivateTargets: false };
  const service = useService({ documents: { trusted, trustedOnly: false }, webhooks });
  const socket = useServer((request, response) => service.listener(request, response));
  const counts = {
    documents: 0,
    mutations: 0,
    written: 0,
    withData: 0,
    requests: 0,
    inParts: 0,
  };
  let client: Client;
  let pool: Pool;

  beforeAll(async () => {
    client = await tenantWithCustomer(service);
    pool = await createEntities(client);
  });

  const timeout = 60_000 + count * 1000;
  it(`returns the same as graphql-js for ${count} documents each time they are sent`, {
    timeout,
  }, async () => {
    const compared = { service, client, url: socket.url, schema: directivesForParts(), trusted, counts };
    const property = fc.asyncProperty(fc.gen(), (g) => checkOne(compared, diceOf(g), pool));
    const options = { numRuns: count, endOnFailure: true, ...(seed === undefined ? {} : { seed }) };
    const found = await fc.check(property, options);
    console.log(`differential: ${JSON.stringify(counts)}, seed ${found.seed}`);
    const { message } = (found.errorInstance ?? {}) as Partial<Error>;
    expect(found.failed ? `seed ${found.seed}: ${message}` : '').toBe('');
    expect(counts.documents).toBeGreaterThan(count * 0.85);
    expect(counts.withData).toBeGreaterThan(count * 0.25);
    expect(counts.written).toBeGreaterThan(count * 0.015);
  });
}
