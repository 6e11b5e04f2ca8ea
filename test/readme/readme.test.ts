import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { environment } from '../../src/config.ts';
import { documentLimits } from '../../src/pipeline/limits.ts';
import { usePostgres } from '../cli/postgres.ts';
import { ask, type Running, usePrograms } from '../cli/program.ts';

const root = join(import.meta.dirname, '..', '..');
const programs = usePrograms();
const server = usePostgres();

interface Block {
  language: string;
  /** What a block of JSON is: the variables of the document above it, or the answer to it. */
  kind: string | undefined;
  text: string;
}

let readme = '';
let blocks: Block[] = [];

beforeAll(async () => {
  readme = await readFile(join(root, 'README.md'), 'utf8');
  // These take packages of their own: test/supergraph and test/faults run their sections.
  const text = readme.replace(/^## (Join a supergraph|Backup and restore)\n.*?(?=^## )/gms, '');
  blocks = [...text.matchAll(/^```(\w+)(?: (\w+))?\n(.*?)^```$/gms)].map(
    ([, language = '', kind, text = '']) => ({ language, kind, text }),
  );
});

/** The cells of the table below a heading. */
function tableBelow(heading: string): string[][] {
  const section = readme.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(2).map((line) => line.slice(2, -2).split(' | '));
}

/** What differs from start to start, made the same. */
function masked(text: string): string {
  return text
    .replaceAll(/\b(account|customer|key)_[0-9a-hjkmnp-tv-z]{26}\b/g, '$1_…')
    .replaceAll(/\bagk_[\w-]{32}/g, 'agk_…')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:4000');
}

async function checkDocuments({ url, token }: Running): Promise<void> {
  let query = '';
  let variables: object = {};
  let answers = 0;
  for (const { language, kind, text } of blocks) {
    if (language === 'graphql') query = text;
    if (language !== 'json') continue;
    expect(['variables', 'answer']).toContain(kind);
    if (kind === 'variables') variables = JSON.parse(text);
    else {
      const { body } = await ask(url, token, query, variables);
      expect(JSON.parse(masked(JSON.stringify(body)))).toEqual(JSON.parse(masked(text)));
      answers += 1;
    }
  }
  expect(answers).toBeGreaterThan(2);
}

/** The same command without npx, which takes longer than the command; one goes through it. */
function withoutNpx(command: string): string {
  return command === 'npx accountgraph tenants list'
    ? command
    : command.replace(/^npx /, 'node_modules/.bin/');
}

/** Runs the lines of a block of commands as the reader would, one after another. */
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

/** Sends what a curl line would, with the token of the demo. */
async function sendCurl(line: string, { url, token }: Running): Promise<void> {
  const [, path = ''] =
    /^curl -s http:\/\/127\.0\.0\.1:4000(\S+) -H 'Authorization: Bearer agk_…'$/.exec(line) ?? [];
  const headers = { authorization: `Bearer ${token}` };
  const { status } = await fetch(new URL(path, url), { headers });
  expect({ line, status }).toEqual({ line, status: 200 });
}

describe('the README', { timeout: 120_000 }, () => {
  it('says what a start prints, what GraphQL answers, and commands that work', async () => {
    const [first, ...others] = blocks.filter(({ language }) => language === 'sh');
    expect(first?.text).toBe('npm ci\nnpm start\n');
    const env = { DATA_DIR: programs.path('data') };
    const running = await programs.serve(env, ['npm', 'start']);
    const printed = blocks.find(({ language }) => language === 'text');
    expect(masked(running.printed)).toContain(`\n${printed?.text}`);
    await checkDocuments(running);
    for (const { text } of others) {
      if (text.startsWith('curl ')) {
        await sendCurl(text.trim(), running);
        continue;
      }
      const database = text.includes('export DATABASE_URL=') ? { DATABASE_URL: await server.create() } : {};
      await runLines(text.trim().split('\n'), { ...env, ...database });
    }
    expect(await running.stop('SIGINT')).toMatchObject({ code: 0 });
  });

  it('lists every variable of the environment', () => {
    const defaults: Record<string, unknown> = environment.parse({});
    const rows = Object.entries(environment.shape).map(([name, schema]) => {
      const { must, description } = schema.meta() ?? {};
      return [
        `\`${name}\``,
        defaults[name] === undefined ? 'none' : `\`${defaults[name]}\``,
        must,
        description,
      ];
    });
    expect(tableBelow('Configuration')).toEqual(rows);
  });

  it('lists every limit of documents', () => {
    const limits = Object.entries(documentLimits).map(([name, { maximum }]) => [`\`${name}\``, `${maximum}`]);
    expect(tableBelow('Security').map((cells) => cells.slice(0, 2))).toEqual(limits);
  });

  it('lists scripts that exist', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    const listed = tableBelow('Development').map(([script]) => script?.match(/`npm (?:run )?([\w:]+)`/)?.[1]);
    expect(listed.filter((name) => !Object.hasOwn(scripts, name ?? ''))).toEqual([]);
  });

  it('maps every folder of the source', async () => {
    const map = blocks.find(({ text }) => text.startsWith('src/\n'))?.text ?? '';
    const entries = await readdir(join(root, 'src'), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${name}/`);
    const mapped = [...map.matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name);
    expect(mapped.filter((name) => name?.endsWith('/')).sort()).toEqual(folders.sort());
    const files = entries.map(({ name }) => name);
    expect(mapped.filter((name) => !name?.endsWith('/') && !files.includes(name ?? ''))).toEqual([]);
  });

  it('shows of a file what stands in it', async () => {
    const lines = (text: string) => text.split('\n').map((line) => line.trim());
    const shown = [...readme.matchAll(/\]\(([^)]+)\):\n((?:\n```\w+\n.*?^```\n)+)/gms)];
    expect(shown.length).toBeGreaterThan(5);
    for (const [, path = '', shownBlocks = ''] of shown) {
      const file = lines(await readFile(join(root, path), 'utf8')).join('\n');
      for (const [, text = ''] of shownBlocks.matchAll(/^```\w+\n(.*?)^```$/gms))
        expect(file).toContain(lines(text.trimEnd()).join('\n'));
    }
  });

  it('leads nowhere in vain', async () => {
    for (const [, path = ''] of readme.matchAll(/\]\(([^)#:]+)\)/g)) await readFile(join(root, path));
  });
});
