import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject } from 'vitest';
import { processesIn, until } from '../db/processes.ts';

type Env = Record<string, string>;

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A running service. */
export interface Running {
  child: ChildProcess;
  /** The standard output until the service was ready. */
  printed: string;
  /** The output until now. */
  output: Readonly<{ stdout: string; stderr: string }>;
  /** The URL of GraphQL. */
  url: string;
  /** The printed demo token, if any. */
  token: string | undefined;
  ended: Promise<Ended>;
  stop(signal: NodeJS.Signals): Promise<Ended>;
}

/** Where a program runs, and as which user. */
interface Place {
  cwd: string;
  uid?: number;
  gid?: number;
}

function launch(command: string[], env: Env, place: Place) {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    ...place,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const ended = once(child, 'close').then(([code]): Ended => ({ code: code as number | null, ...output }));
  return { child, output, ended };
}

async function whenReady({ child, output, ended }: ReturnType<typeof launch>): Promise<Running> {
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`it ended: ${(await ended).stderr}`);
    return output.stdout.includes('is ready.') && output.stdout.endsWith('\n');
  }, 120_000);
  return {
    child,
    printed: output.stdout,
    output,
    url: /^ +GraphQL +(\S+)$/m.exec(output.stdout)?.[1] ?? '',
    token: /Bearer (agk_[\w-]+)/.exec(output.stdout)?.[1],
    ended,
    stop: async (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

/** Runs programs, by default in the compiled service. They end after the tests of the file. */
export function usePrograms(placeOf: () => Place = () => ({ cwd: inject('checkout') })) {
  const launched: ChildProcess[] = [];
  let directory = '';
  const begin = (command: string[], env: Env) => {
    const program = launch(command, env, placeOf());
    launched.push(program.child);
    return program;
  };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ag-cli-'));
  });
  afterAll(async () => {
    for (const child of launched) if (child.exitCode === null) child.kill('SIGKILL');
    await until(async () => (await processesIn(directory)).length === 0);
    await rm(directory, { recursive: true, force: true, maxRetries: 10 });
  });
  const main = ['dist/main.js'];
  return {
    /** Returns a path in the directory. */
    path: (name: string) => join(directory, name),
    /** Starts the service on a free port and waits until it is ready. */
    serve: (env: Env, command = main) => whenReady(begin(command, { PORT: '0', ...env })),
    /** Starts a program without waiting for it. */
    start: (command: string[], env: Env) => begin(command, { PORT: '0', ...env }).child,
    /** Starts a command, or another program with these arguments, without waiting for its end. */
    open: (args: string[], env: Env, command = main) => begin([...command, ...args], env),
    /** Runs a command to its end. */
    run: (args: string[], env: Env) => begin([...main, ...args], { PORT: '0', ...env }).ended,
    /** Runs a shell command to its end. */
    shell: (line: string, env: Env) => begin(['sh', '-c', line], { PORT: '0', ...env }).ended,
  };
}

/** Fails unless a program failed with one sentence on standard error and this exit code. Returns the sentence. */
export function sentenceOf({ code, stdout, stderr }: Ended, expectedCode = 1): string {
  expect(stderr).toMatch(/^\w[^\n]+\.\n$/);
  expect(stdout).toBe('');
  expect(code).toBe(expectedCode);
  return stderr.trim();
}

/** Fails unless a program succeeded without errors, and returns its output. */
export function answerOf({ code, stdout, stderr }: Ended): string {
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout.trim();
}

export async function ask(url: string, token: string | undefined, query: string, variables: object = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  });
  return { status: response.status, body: await response.json() };
}
