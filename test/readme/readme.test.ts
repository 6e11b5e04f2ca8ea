import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse, validate } from 'graphql';
import { beforeAll, describe, expect, it } from 'vitest';
import { documentLimits } from '../../src/pipeline/limits.ts';
import { topLevelCodes } from '../../src/pipeline/request-error.ts';
import { restCodes } from '../../src/rest/errors.ts';
import { buildSchema } from '../../src/schema.ts';
import { usePostgres } from '../cli/postgres.ts';
import { ask, type Running, usePrograms } from '../cli/program.ts';

const root = join(import.meta.dirname, '..', '..');
const schema = buildSchema();
const programs = usePrograms();
const server = usePostgres();

interface Block {
  language: string;
  /** Whether a JSON block contains the variables of the document above it or its response. */
  kind: string | undefined;
  text: string;
}

/** The texts of the README, the other Markdown files and the pages in docs/. */
const pages = new Map<string, string>();
const roots = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'];
/** Pages that need other packages. test/supergraph and test/faults run them. */
const runElsewhere = ['docs/federation.md', 'docs/reliability.md'];

const textOf = (page: string) => pages.get(page) ?? '';

beforeAll(async () => {
  const docs = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md'));
  for (const page of [...roots, ...docs.map((name) => `docs/${name}`)])
    pages.set(page, await readFile(join(root, page), 'utf8'));
});

function blocksOf(page: string): Block[] {
  return [...textOf(page).matchAll(/^```(\w+)(?: (\w+))?\n(.*?)^```$/gms)].map(
    ([, language = '', kind, text = '']) => ({ language, kind, text }),
  );
}

/** Returns the cells of the first table below a heading of a page. */
function tableBelow(page: string, heading: string): string[][] {
  const section =
    textOf(page)
      .split(/^## /m)
      .find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(2).map((line) => line.slice(2, -2).split(' | '));
}

/** Replaces the parts that differ between starts. */
function masked(text: string): string {
  return text
    .replaceAll(/\b(account|customer|key)_[0-9a-hjkmnp-tv-z]{26}\b/g, '$1_…')
    .replaceAll(/\bagk_[\w-]{32}/g, 'agk_…')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:4000');
}

/** Sends the documents of a page and compares the responses with those on the page. Subscriptions must be valid. */
async function checkDocuments(page: string, { url, token }: Running): Promise<number> {
  let query = '';
  let variables: object = {};
  let answers = 0;
  for (const { language, kind, text } of blocksOf(page)) {
    if (language === 'graphql') {
      query = text;
      expect(validate(schema, parse(text)).map(({ message }) => message)).toEqual([]);
    }
    if (language !== 'json') continue;
    expect(['variables', 'answer']).toContain(kind);
    if (kind === 'variables') variables = JSON.parse(text);
    else {
      const { body } = await ask(url, token, query, variables);
      expect(JSON.parse(masked(JSON.stringify(body)))).toEqual(JSON.parse(masked(text)));
      answers += 1;
    }
  }
  return answers;
}

/** Removes npx, which takes longer than the command, from all but one command. */
function withoutNpx(command: string): string {
  return command === 'npx accountgraph tenants list'
    ? command
    : command.replace(/^npx /, 'node_modules/.bin/');
}

/** Runs the lines of a command block in order. */
async function runLines(lines: string[], given: Record<string, string>): Promise<void> {
  const env = { ...given };
  let lastKey = '';
  for (const line of lines) {
    const [, name, value] = /^export (\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) env[name] = given[name] ?? value ?? '';
    else if (line === 'npm start') await (await programs.serve(env, ['npm', 'start'])).stop('SIGTERM');
    else {
      expect(line).toMatch(/^npx accountgraph /);
      const command = line.replace(/key_\w{26}/, lastKey);
      const { code, stdout } = await programs.shell(withoutNpx(command), env);
      expect({ line, code }).toEqual({ line, code: 0 });
      lastKey = /key_\w{26}/.exec(stdout)?.[0] ?? lastKey;
    }
  }
}

/** Sends the request of a curl command with the demo token. */
async function sendCurl(line: string, { url, token }: Running): Promise<void> {
  const [, path = ''] =
    /^curl -s http:\/\/127\.0\.0\.1:4000(\S+) -H 'Authorization: Bearer agk_…'$/.exec(line) ?? [];
  const headers = { authorization: `Bearer ${token}` };
  const { status } = await fetch(new URL(path, url), { headers });
  expect({ line, status }).toEqual({ line, status: 200 });
}

/** Runs the shell blocks of a page. */
async function runShell(page: string, running: Running, env: Record<string, string>): Promise<void> {
  for (const { language, text } of blocksOf(page)) {
    if (language !== 'sh' || text === 'npm ci\nnpm start\n') continue;
    if (text.startsWith('curl ')) {
      await sendCurl(text.trim(), running);
      continue;
    }
    const database = text.includes('export DATABASE_URL=') ? { DATABASE_URL: await server.create() } : {};
    await runLines(text.trim().split('\n'), { ...env, ...database });
  }
}

describe('the documentation', { timeout: 180_000 }, () => {
  it('shows the output of a start, correct responses and working commands', async () => {
    const env = { DATA_DIR: programs.path('data') };
    const running = await programs.serve(env, ['npm', 'start']);
    const printed = blocksOf('README.md').filter(({ language }) => language === 'text');
    expect(masked(running.printed)).toContain(`\n${printed[1]?.text}`);
    expect(await checkDocuments('README.md', running)).toBeGreaterThan(2);
    for (const page of pages.keys()) {
      if (runElsewhere.includes(page)) continue;
      if (page !== 'README.md' && page !== 'docs/import.md') await checkDocuments(page, running);
      await runShell(page, running, env);
    }
    expect(await running.stop('SIGINT')).toMatchObject({ code: 0 });
  });

  it('has a README of at most 12 kB', () => {
    expect(textOf('README.md').length).toBeLessThanOrEqual(12_000);
  });

  it('lists every limit of documents', () => {
    const limits = Object.entries(documentLimits).map(([name, { maximum }]) => [`\`${name}\``, `${maximum}`]);
    const listed = tableBelow('docs/security.md', 'Limits of documents');
    expect(listed.map((cells) => cells.slice(0, 2))).toEqual(limits);
  });

  it('lists every script', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    const names = tableBelow('CONTRIBUTING.md', 'Scripts').map(
      ([script]) => /`npm (?:run )?([\w:]+)`/.exec(script ?? '')?.[1],
    );
    const internal = ['prepare', 'install:in', 'db:check', 'version'];
    expect(names.toSorted()).toEqual(
      Object.keys(scripts)
        .filter((name) => !internal.includes(name))
        .sort(),
    );
  });

  it('explains every error code', () => {
    const codes = [...Object.keys(restCodes), ...topLevelCodes];
    const explained = [...textOf('docs/errors.md').matchAll(/^### (\w+)$/gm)].map(([, code]) => code);
    expect(explained.toSorted()).toEqual([...new Set(codes)].sort());
  });

  it('lists every folder of the source', async () => {
    const entries = await readdir(join(root, 'src'), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `src/${name}/`);
    const mapped = [...textOf('ARCHITECTURE.md').matchAll(/`(src\/[\w-]+\/)`/g)].map(([, name]) => name);
    expect([...new Set(mapped)].toSorted()).toEqual(folders.sort());
  });

  it('names only existing source files', async () => {
    const named = [
      ...textOf('ARCHITECTURE.md').matchAll(/`(?:src\/)?([\w-]+(?:\/[\w-]+)*\.(?:ts|graphql))`/g),
    ];
    const all = new Set(await readdir(join(root, 'src'), { recursive: true }));
    const missing = named
      .map(([, path = '']) => path)
      .filter((path) => !all.has(path) && !inFolder(all, path));
    expect(missing).toEqual([]);
    expect(named.length).toBeGreaterThan(30);
  });

  it('quotes files correctly', async () => {
    const lines = (text: string) => text.split('\n').map((line) => line.trim());
    let shown = 0;
    for (const [page, text] of pages) {
      const files = text.matchAll(/\]\(([^)]+)\):\n((?:\n```\w+\n.*?^```\n)+)/gms);
      for (const [, path = '', shownBlocks = ''] of files) {
        shown += 1;
        const file = lines(await readFile(join(root, dirname(page), path), 'utf8')).join('\n');
        for (const [, block = ''] of shownBlocks.matchAll(/^```\w+\n(.*?)^```$/gms))
          expect(file).toContain(lines(block.trimEnd()).join('\n'));
      }
    }
    expect(shown).toBeGreaterThan(5);
  });

  it('links only to existing files', async () => {
    for (const [page, text] of pages)
      for (const [, path = ''] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
        await readFile(join(root, dirname(page), path));
  });
});

/** A list item may name a file without the folder of the list. */
function inFolder(all: ReadonlySet<string>, name: string): boolean {
  return !name.includes('/') && [...all].some((path) => path.endsWith(`/${name}`));
}
