import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, inject } from 'vitest';
import { type AppOptions, createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { type Connection, openDatabase } from '../../src/db/client.ts';
import type { Scope } from '../../src/lib/scope.ts';
import { createKey, createTenant, type NewTenant } from '../../src/tenant/write.ts';
import { templateName } from './global-setup.ts';
import { openServer, type TestServer } from './http-server.ts';
import { statementsDuring } from './statements.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are checked by what the tests expect of them
export type Json = any;

export interface Answer {
  status: number;
  headers: Headers;
  data: Json;
  errors: Json;
}

/** A tenant of its own, with a key, as a GraphQL client sees it. */
export interface Client {
  tenantId: number;
  token: string;
  send(document: string, variables?: object, headers?: Record<string, string>): Promise<Answer>;
}

/** Tests of what is right have the machine to themselves as little as they time anything. */
const patience = {
  DATABASE_WAIT_TIMEOUT_MS: '30000',
  DATABASE_LOCK_TIMEOUT_MS: '30000',
  DATABASE_STATEMENT_TIMEOUT_MS: '30000',
  DATABASE_CALL_TIMEOUT_MS: '60000',
};

/** Signs the session tokens of every app unless its options say otherwise. */
export const sessionKey = createSecretKey(randomBytes(64));

type Fetch = (request: Request, streams?: boolean) => Promise<Response>;

/** The service behind a port of its own, which opens with the first request. */
export type App = ReturnType<typeof createApp> & { fetch: Fetch; gather(count: number): Promise<void> };

export interface Service {
  fetch: Fetch;
  /** Has the service get the next requests at once, when so many have arrived. */
  gather: App['gather'];
  /** Answers a server of node:http. */
  listener: App['listener'];
  /** Where its database is, for a second replica. */
  connection: Connection;
  endSubscriptions: App['endSubscriptions'];
  database: App['database'];
  newTenant(options?: Partial<NewTenant>): Promise<Client>;
  /** The same tenant through another key, which has only these scopes. */
  newKey(client: Client, scopes: readonly Scope[]): Promise<Client>;
  /** The texts of the statements that reached PostgreSQL while `work` ran. */
  statements(work: () => Promise<unknown>): Promise<string[]>;
}

export async function cloneDatabase(): Promise<string> {
  const name = `t_${randomUUID().replaceAll('-', '')}`;
  const admin = openDatabase({ connection: inject('server'), poolSize: 1 });
  await admin.orm.execute(`create database ${name} template ${templateName}`);
  await admin.close();
  return name;
}

async function sendTo(fetch: Fetch, body: unknown, headers: Record<string, string>): Promise<Answer> {
  const response = await fetch(
    new Request('http://localhost/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  );
  const { data, errors } = (await response.json()) as Json;
  return { status: response.status, headers: response.headers, data, errors };
}

/** A key's holder as a client of one replica of the service. */
export function clientThrough(
  app: Pick<App, 'fetch'>,
  { tenantId, token }: Pick<Client, 'tenantId' | 'token'>,
): Client {
  return {
    tenantId,
    token,
    send: (query, variables = {}, headers = {}) =>
      sendTo(
        (request) => app.fetch(request),
        { query, variables },
        { authorization: `Bearer ${token}`, ...headers },
      ),
  };
}

async function clientOf(app: App, tenantId: number, scopes?: readonly Scope[]): Promise<Client> {
  const { token } = await createKey(app.database, tenantId, 'test', scopes);
  return clientThrough(app, { tenantId, token });
}

/** The service on a database. It has no GraphiQL, and is silent. */
export function openApp(connection: Connection, options: Partial<AppOptions> = {}): App {
  const pooler = inject('pooler');
  const pooled =
    pooler === undefined || !('database' in connection)
      ? { connection }
      : {
          connection: { url: `postgres://accountgraph@127.0.0.1:${pooler}/${connection.database}` },
          prepare: false,
        };
  return withServer(
    createApp({
      ...readConfig(patience).database,
      ...pooled,
      log: pino({ level: 'silent' }),
      graphiql: undefined,
      documents: { trusted: new Map(), trustedOnly: false },
      tracing: undefined,
      exposesSchema: true,
      restDocs: true,
      operationTimeoutMs: 10_000,
      sessionKeys: [sessionKey],
      costPerMinute: 0,
      corsOrigins: [],
      ...options,
    }),
  );
}

function withServer(app: ReturnType<typeof createApp>): App {
  let server: Promise<TestServer> | undefined;
  const open = () => {
    server ??= openServer(app.listener);
    return server;
  };
  return {
    ...app,
    fetch: async (request, streams) => (await open()).fetch(request, streams),
    gather: async (count) => (await open()).gather(count),
    async close() {
      await (await server)?.close();
      await app.close();
    },
  };
}

/**
 * A replica that soon gives up on a lock; beside a pooler, behind which only transactions of several statements have
 * time-outs for locks.
 */
export function openImpatientApp(service: Service): App {
  const { limits } = readConfig({ DATABASE_LOCK_TIMEOUT_MS: '300' }).database;
  return openApp(service.connection, { limits, connection: service.connection, prepare: true });
}

/** One service on a database of its own for the tests of a file. */
export function useService(options: Partial<AppOptions> = {}): Service {
  let app: App;
  let connection: Connection;
  beforeAll(async () => {
    connection = { ...inject('server'), database: await cloneDatabase() };
    app = openApp(connection, options);
  });
  afterAll(() => app.close());

  return {
    fetch: (request, streams) => app.fetch(request, streams),
    gather: (count) => app.gather(count),
    listener: (request, response) => app.listener(request, response),
    endSubscriptions: () => app.endSubscriptions(),
    get connection() {
      return connection;
    },
    get database() {
      return app.database;
    },
    async newTenant(options = {}) {
      const tenant = await createTenant(app.database, { name: `t-${randomUUID().slice(0, 8)}`, ...options });
      return clientOf(app, tenant.id);
    },
    newKey: ({ tenantId }, scopes) => clientOf(app, tenantId, scopes),
    statements: (work) => statementsDuring(app.database, work),
  };
}
