import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../db/processes.ts';
import { templateName } from '../support/global-setup.ts';
import { usePostgres } from './postgres.ts';
import { ask, sentenceOf, usePrograms } from './program.ts';

const root = join(import.meta.dirname, '..', '..');
const server = usePostgres();
const programs = usePrograms();
const inRoot = usePrograms(() => ({ cwd: root }));
const patience = { timeout: 90_000 };

/** A module that tries to run strings as code, in the main thread and in a worker, and notes what it could run. */
const attempts = `
import { appendFileSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
const run = {
  eval: () => (0, eval)('1'),
  direct: () => eval('1'),
  Function: () => new Function('return 1')(),
  AsyncFunction: () => new (async () => {}).constructor('return 1'),
  GeneratorFunction: () => new (function* () {}).constructor('return 1'),
};
const succeeded = Object.keys(run).filter((name) => {
  try {
    run[name]();
    return true;
  } catch {
    return false;
  }
});
const program = isMainThread ? process.argv[1] : workerData;
const note = { program, isMainThread, succeeded };
appendFileSync(process.env.NOTES, JSON.stringify(note) + '\\n');
if (isMainThread) new Worker(new URL(import.meta.url), { workerData: program }).unref();
`;

interface Note {
  /** The program of the process. */
  program: string;
  isMainThread: boolean;
  succeeded: string[];
}

/** Starts the service with these attempts in each of its processes. Returns what the service could run. */
async function attemptsIn(name: string, command: string[], own = programs): Promise<Omit<Note, 'program'>[]> {
  const module = own.path('attempts.mjs');
  await writeFile(module, attempts);
  const NOTES = own.path(`${name}.jsonl`);
  const env = { DATABASE_URL: await server.create(templateName), NOTES, NODE_OPTIONS: `--import=${module}` };
  const running = await own.serve(env, command);
  const notes = await until(async () => {
    const lines = (await readFile(NOTES, 'utf8')).split('\n').slice(0, -1);
    const all: Note[] = lines.map((line) => JSON.parse(line));
    const ours = all.filter(({ program = '' }) => /(main\.[jt]s|accountgraph)$/.test(program));
    return ours.length > 1 && ours;
  });
  await running.stop('SIGTERM');
  return notes.map(({ isMainThread, succeeded }) => ({ isMainThread, succeeded }));
}

const nothing = [
  { isMainThread: true, succeeded: [] },
  { isMainThread: false, succeeded: [] },
];

it.each([
  ['npm', ['npm', 'start']],
  ['npx', ['npx', 'accountgraph']],
  ['program', ['dist/main.js']],
])('runs no strings as code if %s starts the service', patience, async (name, command) => {
  expect(await attemptsIn(name, command)).toEqual(nothing);
});

it('runs no strings as code in npm run dev', patience, async () => {
  expect(await attemptsIn('dev', ['npm', 'run', 'dev'], inRoot)).toEqual(nothing);
});

describe('a start without the flag of Node.js', patience, () => {
  async function serveWithout() {
    const env = { DATABASE_URL: await server.create(templateName) };
    const running = await programs.serve(env, [process.execPath, 'dist/main.js']);
    const { pid } = running.child;
    const child = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim();
    const isRunning = () =>
      access(`/proc/${child}`).then(
        () => true,
        () => false,
      );
    return { running, child, isRunning };
  }

  it('serves in a child process with the flag', async () => {
    const { running, child, isRunning } = await serveWithout();
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8');
    expect(command.split('\0')).toContain('--disallow-code-generation-from-strings');
    expect((await ask(running.url, undefined, '{ __typename }')).status).toBe(401);
    expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await isRunning()).toBe(false);
  });

  it('ends the child process when its parent is killed', async () => {
    const { running, isRunning } = await serveWithout();
    running.child.kill('SIGKILL');
    await until(async () => !(await isRunning()));
  });

  it('exits with the code of the child process', async () => {
    const wrong = programs.open(['dist/main.js'], { PORT: 'abc' }, [process.execPath]);
    expect(sentenceOf(await wrong.ended)).toBe('PORT must be a whole number from 0 to 65535.');
  });
});
