import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ESLint } from 'eslint';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const filePath = join(root, 'src/schema.graphql');
const schema = readFileSync(filePath, 'utf8');
const eslint = new ESLint({ cwd: root, overrideConfigFile: join(import.meta.dirname, 'eslint.config.js') });

/** Returns the rules that a schema breaks. */
async function brokenRules(sdl: string): Promise<string[]> {
  const [result] = await eslint.lintText(sdl, { filePath });
  const names = result?.messages.map(({ ruleId, message }) => ruleId?.split('/')[1] ?? message);
  return [...new Set(names)];
}

it('accepts the schema', async () => {
  expect(await brokenRules(schema)).toEqual([]);
});

const currency = '  invoiceCurrency: String!';

it.each([
  ['strict-id-in-types', `${schema}"""A thing."""\ntype Zone { """Its name.""" name: String }`],
  ['relay-page-info', schema.replace(/\n {2}"""[^"]*"""\n {2}hasNextPage: Boolean!/, '')],
  ['relay-arguments', schema.replace(/(history\([^)]*?"""\n {4}first): Int/, '$1: String')],
  ['relay-connection-types', schema.replace('edges: [AccountEdge!]!', 'edges: AccountEdge!')],
  ['relay-edge-types', schema.replaceAll('AliasEdge', 'AliasOfEdges')],
  ['naming-convention', schema.replace(currency, '  invoice_currency: String!')],
  ['require-description', schema.replace(/\n {2}"""[^"]*"""\n( {2}invoiceCurrency: String!)/, '\n$1')],
  ['require-deprecation-reason', schema.replace(currency, `${currency} @deprecated`)],
])('reports a violation of %s', async (rule, sdl) => {
  expect(sdl).not.toBe(schema);
  expect(await brokenRules(sdl)).toContain(rule);
});
