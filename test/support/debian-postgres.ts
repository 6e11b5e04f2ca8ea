import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../db/processes.ts';
import { isRoot, nobody } from './embedded.ts';
import { accepts, freePort } from './ports.ts';

const versions = '/usr/lib/postgresql';

/** Returns the directory with the programs of the newest PostgreSQL from Debian packages. */
export async function toolsOfDebian(): Promise<string> {
  const installed = await readdir(versions).catch(() => []);
  const newest = installed.toSorted((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) throw new Error('PostgreSQL is not installed: apt-get install postgresql');
  return join(versions, newest, 'bin');
}

export interface DebianPostgres {
  /** Creates an unprivileged role and a database that it owns. Returns the URL. */
  create(role: string): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a PostgreSQL from Debian packages on a free port. */
export async function startDebianPostgres(): Promise<DebianPostgres> {
  const tools = await toolsOfDebian();
  const directory = await mkdtemp(join(tmpdir(), 'ag-postgresql-'));
  const account = isRoot ? { uid: nobody, gid: nobody } : {};
  if (isRoot) await chown(directory, nobody, nobody);
  const run = (tool: string, ...args: string[]) =>
    promisify(execFile)(join(tools, tool), args, { cwd: directory, ...account });
  const data = join(directory, 'data');
  await run('initdb', '-D', data, '-U', 'admin', '-A', 'trust', '-E', 'UTF8', '--no-locale');
  const port = await freePort();
  const settings = [
    '-c',
    `port=${port}`,
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    'unix_socket_directories=',
  ];
  const server = spawn(join(tools, 'postgres'), ['-D', data, ...settings], { stdio: 'ignore', ...account });
  await until(() => accepts(port));
  const admin = ['-h', '127.0.0.1', '-p', String(port), '-U', 'admin'];
  return {
    async create(role) {
      await run('createuser', ...admin, role);
      await run('createdb', ...admin, '-O', role, role);
      return `postgres://${role}@127.0.0.1:${port}/${role}`;
    },
    async stop() {
      server.kill('SIGQUIT');
      await once(server, 'exit');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
