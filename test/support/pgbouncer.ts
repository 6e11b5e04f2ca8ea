import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../db/processes.ts';
import { nobody } from './embedded.ts';
import { accepts, freePort } from './ports.ts';

export interface Pooler {
  port: number;
  urlOf(database: string): string;
  stop(): Promise<void>;
}

/** Starts PgBouncer in transaction mode with fewer connections than the service opens. */
export async function startPgBouncer(
  { port, password }: { port: number; password: string },
  settings = '',
): Promise<Pooler> {
  const directory = await mkdtemp(join(tmpdir(), 'ag-pgbouncer-'));
  const listenPort = await freePort();
  await writeFile(join(directory, 'users.txt'), `"accountgraph" "${password}"\n`);
  await writeFile(
    join(directory, 'pgbouncer.ini'),
    `[databases]
* = host=127.0.0.1 port=${port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = trust
auth_file = ${join(directory, 'users.txt')}
pool_mode = transaction
default_pool_size = 5
max_client_conn = 1000
server_idle_timeout = 2
server_round_robin = 1
${settings}
`,
  );
  await chmod(directory, 0o755);
  const asNobody = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  const child: ChildProcess = spawn('pgbouncer', [join(directory, 'pgbouncer.ini')], {
    stdio: 'ignore',
    ...asNobody,
  });
  await until(() => accepts(listenPort));
  return {
    port: listenPort,
    urlOf: (database) => `postgres://accountgraph@127.0.0.1:${listenPort}/${database}`,
    async stop() {
      child.kill('SIGKILL');
      await once(child, 'exit');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
