import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { transformAsync } from '@babel/core';

const cwd = import.meta.dirname;
const source = join(cwd, 'accounts.tsx');
const built = join(cwd, 'accounts.built.tsx');

// relay-compiler does not support `extend schema`, which imports the federation directives.
const copy = "grep -v '^extend schema' ../../../src/schema.graphql > schema.graphql";

/** Compiles the documents and replaces them by the generated artifacts. */
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
