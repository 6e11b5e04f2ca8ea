import { connect, type Socket } from 'node:net';
import { makePgArray } from 'drizzle-orm/pg-core';
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { UnavailableError } from '../lib/errors.ts';

/** The address of a database: a URL, or the socket of the embedded PostgreSQL. */
export type Connection = { url: string } | { path: string; user: string; database: string; password: string };

export interface SessionOptions {
  connection: Connection;
  /** Whether statements are prepared. False behind a pooler in transaction mode. */
  prepare: boolean;
  connectTimeoutMs: number;
  /** The settings of the session. */
  settings: Record<string, string | number>;
}

/** The process id and secret that a cancel request must name. */
export interface Backend {
  pid: number;
  secret: number;
}

/** One connection to the database. */
export interface Session {
  client: postgres.Sql;
  orm: PostgresJsDatabase;
  /** False once the connection is lost. It is never reopened. */
  alive: boolean;
  /** Whether the session is established. Nothing has been sent before. */
  entered: boolean;
  end(): Promise<void>;
  /** Closes the socket without a goodbye, because the server may not answer. */
  destroy(): void;
  /** Destroys the session, and asks the server to cancel its statement. */
  cancel(backend: Backend): void;
}

/** The argument of the driver's `socket` option, which its types lack. */
interface Target {
  path?: string;
  host: string[];
  port: number[];
}

function connectTo({ path, host, port }: Target, attempt: number): Socket {
  if (path) return connect(path);
  const at = attempt % host.length;
  // The driver verifies the certificate against the `host` of the socket.
  return Object.assign(connect(port[at] ?? 5432, host[at]), { host: host[at] });
}

const cancelRequest = 80_877_102;

/** Sends a cancel request on its own connection, as the protocol requires. There is no response. */
function requestCancel(socket: Socket, { pid, secret }: Backend): void {
  const message = Buffer.alloc(16);
  [message.length, cancelRequest, pid, secret].forEach((number, place) => {
    message.writeInt32BE(number | 0, place * 4);
  });
  socket.on('error', () => socket.destroy()).end(message);
  socket.unref();
}

/** Parses a flat array in the text format of PostgreSQL. */
function parseArray(text: string): (string | null)[] {
  const entries = text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|[^,]+/gs);
  return Array.from(entries, ([plain, quoted]) =>
    quoted === undefined ? (plain === 'NULL' ? null : plain) : quoted.replace(/\\(.)/gs, '$1'),
  );
}

/** The array types that statements use, by their fixed OIDs. */
const arrayTypes = { int4: 1007, text: 1009, varchar: 1015, uuid: 2951 };

/**
 * Serializers for arrays. Otherwise, the driver would query the array types in each new session. If that session is
 * lost meanwhile, the unhandled rejection ends the process.
 */
const arrays: object = Object.fromEntries(
  Object.entries(arrayTypes).map(([name, number]) => {
    // Columns may have serialized it already.
    const serialize = (value: unknown) => (Array.isArray(value) ? makePgArray(value) : value);
    return [name, { to: number, from: [number], serialize, parse: parseArray }];
  }),
);

function connectDriver(options: SessionOptions, hooks: object): postgres.Sql {
  const { connection, prepare, connectTimeoutMs, settings } = options;
  const driverOptions = {
    max: 1,
    prepare,
    fetch_types: false,
    types: arrays,
    connect_timeout: connectTimeoutMs / 1000,
    max_lifetime: null,
    backoff: false,
    onnotice: () => undefined,
    connection: { application_name: 'accountgraph', ...settings },
    ...hooks,
  } as postgres.Options<Record<string, never>>;
  return 'url' in connection
    ? postgres(connection.url, driverOptions)
    : postgres({ ...driverOptions, ...connection });
}

/**
 * Opens a session: a client of the driver with one connection that is never reopened. The driver's own pool writes to
 * closed sockets, which throws uncatchable errors.
 * @param attempt the number of the session; with several hosts, each session uses the next one
 */
export function openSession(options: SessionOptions, attempt: number, onLost: (session: Session) => void) {
  let dialed: { target: Target; socket: Socket } | undefined;
  const client = connectDriver(options, {
    onclose: () => markLost(),
    // The server sends its first parameter once the session is established.
    onparameter() {
      session.entered = true;
    },
    socket(target: Target) {
      if (dialed !== undefined || !session.alive) {
        markLost();
        throw new UnavailableError(session.entered ? 'LOST' : 'UNREACHABLE');
      }
      dialed = { target, socket: connectTo(target, attempt) };
      return dialed.socket;
    },
  });
  const session: Session = {
    client,
    orm: drizzle(client, { casing: 'snake_case' }),
    alive: true,
    entered: false,
    end: () => client.end({ timeout: 5 }),
    destroy() {
      dialed?.socket.destroy();
      markLost();
    },
    cancel(backend) {
      // PgBouncer 1.18 crashes on cancel requests, so behind a pooler the statement runs until its timeout.
      if (dialed !== undefined && options.prepare) requestCancel(connectTo(dialed.target, attempt), backend);
      session.destroy();
    },
  };
  function markLost(): void {
    if (!session.alive) return;
    session.alive = false;
    onLost(session);
  }
  return session;
}
