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

// biome-ignore lint/suspicious/noExplicitAny: the tests check the responses
export type Json = any;

export interface Answer {
  status: number;
  headers: Headers;
  data: Json;
  errors: Json;
}

/** A GraphQL client with an API key of a tenant. */
export interface Client {
  tenantId: number;
  token: string;
  send(document: string, variables?: object, headers?: Record<string, string>): Promise<Answer>;
}

/** Long timeouts, because correctness tests share a busy machine. */
const patience = {
  DATABASE_WAIT_TIMEOUT_MS: '30000',
  DATABASE_LOCK_TIMEOUT_MS: '30000',
  DATABASE_STATEMENT_TIMEOUT_MS: '30000',
  DATABASE_CALL_TIMEOUT_MS: '60000',
};

/** The default key for session tokens. */
export const sessionKey = createSecretKey(randomBytes(64));

type Fetch = (request: Request, streams?: boolean) => Promise<Response>;

/** The service on a free port, which opens with the first request. */
export type App = ReturnType<typeof createApp> & { fetch: Fetch; gather(count: number): Promise<void> };

export interface Service {
  fetch: Fetch;
  /** Holds the next requests until this many have arrived, and then passes them to the service at once. */
  gather: App['gather'];
  /** The listener for a `node:http` server. */
  listener: App['listener'];
  /** Handles the WebSocket handshakes of a `node:http` server. */
  upgrade: App['upgrade'];
  /** The connection for a second replica. */
  connection: Connection;
  endSubscriptions: App['endSubscriptions'];
  database: App['database'];
  newTenant(options?: Partial<NewTenant>): Promise<Client>;
  /** Creates another key of the same tenant with only these scopes. */
  newKey(client: Client, scopes: readonly Scope[]): Promise<Client>;
  /** Returns the statements that PostgreSQL received during `work`. */
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

/** Returns a client that sends requests to another replica with the same key. */
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

/** Opens the service on a database, without GraphiQL and logs. */
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
      webhooks: { keys: [sessionKey], schedule: [10, 20], allowPrivateTargets: true },
      costPerMinute: 0,
      corsOrigins: [],
      ...options,
    }),
  );
}

function withServer(app: ReturnType<typeof createApp>): App {
  let server: Promise<TestServer> | undefined;
  const open = () => {
    server ??= openServer(app.listener, app.upgrade);
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
 * Opens a replica with a short lock timeout. It bypasses a pooler, behind which only transactions of several statements
 * have lock timeouts.
 */
export function openImpatientApp(service: Service): App {
  const { limits } = readConfig({ DATABASE_LOCK_TIMEOUT_MS: '300' }).database;
  return openApp(service.connection, { limits, connection: service.connection, prepare: true });
}

/** Runs a service on its own database for the tests of a file. */
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
    upgrade: (request, socket, head) => app.upgrade(request, socket, head),
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
