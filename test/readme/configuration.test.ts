import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { variableGroups, writtenDefaults } from '../../src/config/environment.ts';
import { fileVariableOf } from '../../src/config/variables.ts';
import { readConfig } from '../../src/config.ts';
import type { z } from '../../src/lib/zod.ts';

const root = join(import.meta.dirname, '..', '..');
const defaults = writtenDefaults();

interface Row {
  name: string;
  byDefault: string | undefined;
  must: string;
  description: string;
}

/** Returns the rows of a variable: its own and, for a secret, that of the file. */
function rowsOf([name, variable]: [string, z.ZodType]): Row[] {
  const { must, description = '' } = variable.meta() ?? {};
  const own = { name, byDefault: defaults.get(name)?.byDefault, must: String(must), description };
  const fileVariable = fileVariableOf(name, variable);
  if (fileVariable === undefined) return [own];
  const file = { byDefault: undefined, must: 'the path of a file', name: fileVariable };
  return [own, { ...file, description: `A file with the value of ${name}. Set only one of the two.` }];
}

const groups = Object.entries(variableGroups).map(([subject, variables]) => ({
  subject,
  rows: Object.entries<z.ZodType>(variables).flatMap(rowsOf),
}));

const table = [
  '| Variable | Default | Must be | Description |',
  '| --- | --- | --- | --- |',
  ...groups
    .flatMap(({ rows }) => rows)
    .map(({ name, byDefault, must, description }) => {
      const otherwise = byDefault === undefined ? 'none' : `\`${byDefault}\``;
      return `| \`${name}\` | ${otherwise} | ${must} | ${description} |`;
    }),
];

const example = `# The environment variables of accountgraph. Copy this file to .env, and remove the # before the variables that you set.
# Values stand without quotes, because Docker reads quotes as a part of the value. So they cannot have spaces or other
# characters that a shell interprets. A secret with such characters can be in a file, which its _FILE variable names.
#
# docker run --env-file .env …
# set -a; . ./.env; set +a; npm start
${groups
  .map(({ subject, rows }) => {
    const variables = rows.map(
      ({ name, byDefault = '', must, description }) =>
        `\n# ${description}\n# Must be ${must}.\n#${name}=${byDefault}\n`,
    );
    return `\n# --- ${subject} ---\n${variables.join('')}`;
  })
  .join('')}`;

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ag-env-'));
});
afterAll(() => rm(directory, { recursive: true }));

it('lists every environment variable in docs/operations.md', async () => {
  const page = join(root, 'docs/operations.md');
  const [before = '', after = ''] = (await readFile(page, 'utf8')).split(/^\| Variable \|.*?\n(?!\|)/ms);
  await expect(`${before}${table.join('\n')}\n${after}`).toMatchFileSnapshot(page);
});

describe('.env.example', () => {
  it('lists every environment variable', async () => {
    await expect(example).toMatchFileSnapshot(join(root, '.env.example'));
  });

  it('has the same meaning for Docker and a shell, and no other than the defaults', async () => {
    const text = example.replaceAll(/^#(?=[A-Z_]+=)/gm, '');
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const forDocker = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s, 2)));
    await writeFile(join(directory, '.env'), text);
    const shell = promisify(execFile);
    const options = { cwd: directory, env: { PATH: process.env.PATH ?? '' } };
    const { stdout } = await shell('sh', ['-c', 'set -a; . ./.env; env -0'], options);
    const forShell = Object.fromEntries(stdout.split('\0').map((line) => line.split(/=(.*)/s, 2)));
    expect(lines.length).toBeGreaterThan(40);
    expect(forShell).toMatchObject(forDocker);
    expect(readConfig(forDocker)).toEqual(readConfig({}));
  });
});
