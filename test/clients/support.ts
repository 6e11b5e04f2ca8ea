import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, type MockInstance, vi } from 'vitest';
import type {} from '../cli/build.ts';
import { usePrograms } from '../cli/program.ts';

export interface Service {
  url: string;
  token: string;
  /** The names of the operations that it received since the test began, in order. */
  asked(): string[];
}

const programs = join(import.meta.dirname, 'node_modules', '.bin');

function operationOf(request: string): string {
  return /(?:query|mutation) (\w+)/.exec(request)?.[1] ?? request;
}

/** Runs the compiled service with its demo tenant for the tests of a file. */
export function useService(): Service {
  const { path, serve } = usePrograms();
  let fetches: MockInstance<typeof fetch>;
  const service: Service = {
    url: '',
    token: '',
    asked: () =>
      fetches.mock.calls.map(([url, init]) =>
        operationOf(String(init?.body ?? new URL(String(url)).searchParams.get('query'))),
      ),
  };
  beforeAll(async () => {
    const { url, token = '' } = await serve({ DATA_DIR: path('data') });
    Object.assign(service, { url, token });
  });
  beforeEach(() => {
    fetches = vi.spyOn(globalThis, 'fetch');
  });
  afterEach(() => {
    fetches.mockRestore();
  });
  return service;
}

/** Runs a program of a client library in the folder of a client and returns its output. */
export async function run(folder: string, program: string, ...args: string[]): Promise<string> {
  const cwd = join(import.meta.dirname, folder);
  // As in a terminal, because graphql-codegen prints less in tests.
  const env = { ...process.env, NODE_ENV: 'development' };
  const { stdout } = await promisify(execFile)(join(programs, program), args, { cwd, env });
  return stdout;
}

/** Compiles a project in the folder of a client and returns the errors. */
export async function problemsOf(folder: string, project: string): Promise<string[]> {
  const said = await run(folder, 'tsc', '--pretty', 'false', '-p', project).catch(
    ({ stdout }: { stdout: string }) => stdout,
  );
  // Lines that begin with a space continue the error above.
  return said.split('\n').filter((line) => /^\S/.test(line));
}

/** Waits until the rendered text is as expected. */
export function shown(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 20_000 });
}
