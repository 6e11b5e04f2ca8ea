import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { expect } from 'vitest';
import { type EmbeddedConnection, startEmbedded } from '../../src/embedded/postgres.ts';
import { StartupError } from '../../src/lib/errors.ts';
import { processesIn, until } from '../db/processes.ts';

export const root = join(import.meta.dirname, '..', '..');
export const isRoot = process.getuid?.() === 0;
export const nobody = 65534;

export async function query<T>(
  connection: EmbeddedConnection,
  run: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  const sql = postgres({ ...connection, max: 1, onnotice: () => undefined });
  try {
    return await run(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Starts a statement that does not end. `cut` settles when its connection is lost. */
export async function endlessStatement(connection: EmbeddedConnection) {
  const sql = postgres({ ...connection, max: 1, onnotice: () => undefined });
  await sql`select 1`;
  const cut = sql`select count(*) from generate_series(1, 1000000000000)`.then(
    () => 'ended',
    () => 'cut',
  );
  return { cut, close: () => sql.end({ timeout: 0 }) };
}

/** Returns the message of a failed start, which must be one sentence. */
export async function refusal(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StartupError);
  const { message } = error as StartupError;
  expect(message).toMatch(/^[A-Z][^\n]*\.$/);
  return message;
}

export async function killHard(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

export interface ProcessOptions {
  uid?: number;
  /** Code that the process runs after the server has started. By default it keeps running. */
  next?: string;
  /** The module with `startEmbedded`. */
  module?: string;
  env?: NodeJS.ProcessEnv;
}

function startProcess(dataDir: string, options: ProcessOptions): ChildProcess {
  const module = options.module ?? join(root, 'src', 'embedded', 'postgres.ts');
  const code = `
    import { startEmbedded } from ${JSON.stringify(module)};
    try {
      const server = await startEmbedded({ dataDir: ${JSON.stringify(dataDir)} });
      console.log('ready');
      ${options.next ?? 'setInterval(() => undefined, 1000);'}
    } catch (error) {
      console.log(error.name + ': ' + error.message);
    }`;
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH ?? '', ...options.env },
    ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
  });
}

/** Returns the first line that a process prints. */
async function firstLine(child: ChildProcess): Promise<string> {
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += String(chunk);
  });
  return until(async () => output.includes('\n') && output.split('\n')[0], 30_000);
}

/** Creates a directory for embedded servers. `remove` ends everything that was started there. */
export async function openPlace() {
  const base = await mkdtemp(join(tmpdir(), 'ag-embedded-'));
  const cleanups: (() => Promise<unknown>)[] = [];
  const place = {
    base,
    dataDir: join(base, 'data'),
    async start(onExit?: (reason: string) => void, onNotice?: (text: string) => void) {
      const options = { ...(onExit && { onExit }), ...(onNotice && { onNotice }) };
      const server = await startEmbedded({ dataDir: place.dataDir, ...options });
      cleanups.push(server.stop);
      return server;
    },
    /** Starts a server in another process and waits until that prints "ready" or an error. */
    async startElsewhere(options: ProcessOptions = {}): Promise<[ChildProcess, string]> {
      const child = startProcess(place.dataDir, options);
      cleanups.push(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        await killHard(child);
        await place.isEmpty();
      });
      return [child, await firstLine(child)];
    },
    /** Waits until no process runs in the directory. */
    isEmpty: (patienceMs?: number) => until(async () => (await processesIn(base)).length === 0, patienceMs),
    async postmaster(): Promise<number> {
      const file = await readFile(join(place.dataDir, 'postgres', 'postmaster.pid'), 'utf8');
      return Number(file.split('\n')[0]);
    },
    async remove(): Promise<void> {
      for (const cleanup of cleanups.toReversed()) await cleanup();
      await rm(base, { recursive: true, force: true, maxRetries: 10 });
    },
  };
  return place;
}

export type Place = Awaited<ReturnType<typeof openPlace>>;
