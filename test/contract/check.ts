import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, printSchema } from '../../src/schema.ts';
import { root } from '../support/source.ts';
import { type Contract, problemsOf } from './checks.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Reads the contract of this checkout. */
export function currentContract(): Contract {
  return {
    printed: printSchema(buildSchema()),
    committed: read('src/schema.graphql'),
    released: read('test/contract/released.graphql'),
    meant: JSON.parse(read('test/contract/meant.json')),
  };
}

/** `npm run schema:check` */
if (process.argv[1] === import.meta.filename) {
  const problems = problemsOf(currentContract());
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
