import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { transformAsync } from '@babel/core';

const cwd = import.meta.dirname;
const source = join(cwd, 'accounts.tsx');
const built = join(cwd, 'accounts.built.tsx');

// relay-compiler does not know `extend schema`, with which the schema imports the directives of federation.
const copy = "grep -v '^extend schema' ../../../src/schema.graphql > schema.graphql";

/** Compiles the documents, and puts what came of them in their place; the rest of the source stays as it is. */
export async function build(): Promise<void> {
  await promisify(execFile)('sh', ['-c', `${copy} && ../node_modules/.bin/relay-compiler`], { cwd });
  const result = await transformAsync(await readFile(source, 'utf8'), {
    filename: source,
    cwd,
    configFile: false,
    plugins: ['relay'],
    parserOpts: { plugins: ['typescript', 'jsx'] },
  });
  await writeFile(built, result?.code ?? '');
}
