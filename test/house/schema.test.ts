import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildSchema, printSchema } from '../../src/schema.ts';
import { root } from '../support/source.ts';

it('equals src/schema.graphql, which npm run schema:print writes', () => {
  const committed = readFileSync(join(root, 'src/schema.graphql'), 'utf8');
  expect(printSchema(buildSchema())).toBe(committed);
});
