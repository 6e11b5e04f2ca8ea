import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { processesIn, until } from '../db/processes.ts';
import { type Json, post } from './support.ts';

const root = join(import.meta.dirname, '..', '..');

let directory = '';
let terminal: ReturnType<typeof startInTerminal>;

/** Runs `npm run supergraph` in its own process group, so that Ctrl-C reaches every process. */
function startInTerminal() {
  const env = { ...process.env, PORT: '0', TMPDIR: directory };
  const child = spawn('npm', ['run', 'supergraph'], {
    cwd: root,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return {
    said: () => said,
    hasEnded: () => child.exitCode !== null,
    ended: once(child, 'close'),
    press: (signal: NodeJS.Signals) => process.kill(-(child.pid ?? 0), signal),
  };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ag-supergraph-'));
  terminal = startInTerminal();
});
afterAll(async () => {
  try {
    terminal.press('SIGKILL');
  } catch {
    // No process is running.
  }
  await until(async () => (await processesIn(directory)).length === 0);
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
});

/** Replaces the parts that differ between starts. */
function masked(text: string): string {
  return text.replaceAll(/\bagk_[\w-]{32}/g, 'agk_…').replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:…');
}

it('runs npm run supergraph as docs/federation.md describes and stops every process on Ctrl-C', async () => {
  const page = await readFile(join(root, 'docs', 'federation.md'), 'utf8');
  const section = /^## Run a supergraph\n(.*?)^## /ms.exec(page)?.[1] ?? '';
  const block = (info: string) => new RegExp(`^\`\`\`${info}\\n(.*?)^\`\`\`$`, 'ms').exec(section)?.[1] ?? '';
  expect(block('sh')).toBe('npm run supergraph\n');
  await until(async () => {
    if (terminal.hasEnded()) throw new Error('it ended before it was ready');
    return /curl .*\n/.test(terminal.said());
  }, 120_000);
  expect(masked(terminal.said())).toContain(masked(block('text').trimEnd()));
  const curl = /^curl .*$/m.exec(terminal.said())?.[0] ?? '';
  const { stdout } = await promisify(execFile)('sh', ['-c', curl]);
  expect(JSON.parse(stdout)).toMatchObject({ data: { account: { usage: [{ meter: 'api_calls' }] } } });
  const [, url = '', token = ''] = /^curl -s (\S+) .*Bearer (\S+)'/.exec(curl) ?? [];
  const { data }: Json = await post(url, { query: block('graphql') }, { authorization: `Bearer ${token}` });
  expect({ data }).toEqual(JSON.parse(block('json answer')));
  const explorer = await fetch(url, { headers: { accept: 'text/html' } });
  expect(await explorer.text()).toContain('<!doctype html>');
  terminal.press('SIGINT');
  await terminal.ended;
  await until(async () => (await processesIn(directory)).length === 0);
  expect(await fetch(url).catch(() => 'closed')).toBe('closed');
  const ours = (await readdir(directory)).filter((name) => name.startsWith('accountgraph'));
  expect(ours).toEqual([]);
});
