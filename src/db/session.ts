import { connect, type Socket } from 'node:net';
import { makePgArray } from 'drizzle-orm/pg-core';
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { UnavailableError } from '../lib/errors.ts';

/** Where a PostgreSQL is: a URL from the configuration, or the socket of the embedded one. */
export type Connection = { url: string } | { path: string; user: string; database: string; password: string };

export interface SessionOptions {
  connection: Connection;
  /** Whether statements are prepared. They must not be where a pooler gives each transaction another session. */
  prepare: boolean;
  connectTimeoutMs: number;
  /** Settings that the session begins with. */
  settings: Record<string, string | number>;
}

/** What a server wants to hear of who asks it to cancel a statement. */
export interface Backend {
  pid: number;
  secret: number;
}

/** One connection to the database. */
export interface Session {
  client: postgres.Sql;
  orm: PostgresJsDatabase;
  /** False once it is lost; it does not come back. */
  alive: boolean;
  /** Whether the database has let it in: what fails before that has not been sent. */
  entered: boolean;
  end(): Promise<void>;
  /** Cuts the connection without a word, for nobody may be listening. */
  destroy(): void;
  /** Gives the connection up, and asks the server to end what it does for it. */
  cancel(backend: Backend): void;
}

/** What the driver hands to a maker of sockets; its types do not know of it. */
interface Target {
  path?: string;
  host: string[];
  port: number[];
}

function dial({ path, host, port }: Target, attempt: number): Socket {
  if (path) return connect(path);
  const at = attempt % host.length;
  // The driver takes from the socket the name that a certificate must have.
  return Object.assign(connect(port[at] ?? 5432, host[at]), { host: host[at] });
}

const cancelRequest = 80_877_102;

/** Asks a server to cancel a statement, on a connection of its own, as the protocol wants it. There is no answer. */
function requestCancel(socket: Socket, { pid, secret }: Backend): void {
  const message = Buffer.alloc(16);
  [message.length, cancelRequest, pid, secret].forEach((number, place) => {
    message.writeInt32BE(number | 0, place * 4);
  });
  socket.on('error', () => socket.destroy()).end(message);
  socket.unref();
}

/** Text of a flat array, as PostgreSQL writes it. */
function parseArray(text: string): (string | null)[] {
  const entries = text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|[^,]+/gs);
  return Array.from(entries, ([plain, quoted]) =>
    quoted === undefined ? (plain === 'NULL' ? null : plain) : quoted.replace(/\\(.)/gs, '$1'),
  );
}

/** The types of arrays that statements have, by their numbers in every PostgreSQL. */
const arrayTypes = { int4: 1007, text: 1009, varchar: 1015, uuid: 2951 };

/**
 * How arrays go over the wire. The driver would ask each new session for the types of all arrays there are, and when that
 * session is lost meanwhile, nobody can catch the failure, which ends the process.
 */
const arrays: object = Object.fromEntries(
  Object.entries(arrayTypes).map(([name, number]) => {
    // Columns have made a text of it already.
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
 * Opens a session: a client of the driver that has one connection and connects once. The driver's own pool, and its
 * own transactions, write to sockets that are gone, where nobody can catch the TypeError, and queue statements behind
 * others that get no answer. A client that is used for one thing at a time and left when it is lost comes to neither.
 * @param attempt counts the sessions: of several hosts, each next one goes to the next
 */
export function openSession(options: SessionOptions, attempt: number, onLost: (session: Session) => void) {
  let dialed: { target: Target; socket: Socket } | undefined;
  const client = connectDriver(options, {
    onclose: () => lose(),
    // The first thing that a server says to a session it has let in.
    onparameter() {
      session.entered = true;
    },
    socket(target: Target) {
      if (dialed !== undefined || !session.alive) {
        lose();
        throw new UnavailableError(session.entered ? 'LOST' : 'UNREACHABLE');
      }
      dialed = { target, socket: dial(target, attempt) };
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
      lose();
    },
    cancel(backend) {
      // PgBouncer 1.18 ends itself when it is asked, so behind a pooler the statement is left to its time-out.
      if (dialed !== undefined && options.prepare) requestCancel(dial(dialed.target, attempt), backend);
      session.destroy();
    },
  };
  function lose(): void {
    if (!session.alive) return;
    session.alive = false;
    onLost(session);
  }
  return session;
}
