import { buildSchema, parse } from 'graphql';
import { expect, it } from 'vitest';
import type { Caller, Ctx } from '../../src/ctx.ts';
import type { Operation as Lane, RunOperation } from '../../src/http/lanes.ts';
import type { Engine, Exchange } from '../../src/pipeline/exchange.ts';
import { createExecute, findOperation } from '../../src/pipeline/execute.ts';

const schema = buildSchema(`
  type Query { a: Int }
  input Change { dryRun: Boolean }
  type Mutation { change(input: Change): Boolean, many(inputs: [Change!]): Boolean }`);

/** Runs a document, and returns whether it ran in a transaction that is rolled back, and whether subscribers wake. */
async function run(query: string, variables: Record<string, unknown> = {}) {
  const ran = { isDry: false, canWrite: false };
  const execute = createExecute({
    createContext: () => ({}) as Ctx,
    inDryRun(_, __, work) {
      ran.isDry = true;
      return work({} as Ctx);
    },
    runOperation: (({ canWrite }: Lane, work: () => unknown) => {
      ran.canWrite = canWrite;
      return work();
    }) as RunOperation,
    tracing: undefined,
  });
  const document = parse(query);
  const params = { query, variables };
  const selects = { field: () => false, only: () => false };
  const definition = findOperation(document, params);
  await execute({} as Exchange, { schema } as Engine, {
    ...{ document, params, definition, selects },
    ...{ caller: {} as Caller, cost: 1 },
  });
  return ran;
}

it.each([
  ['mutation { change(input: { dryRun: true }) }', {}],
  ['mutation($input: Change) { change(input: $input) }', { input: { dryRun: true } }],
  ['mutation($dry: Boolean = true) { change(input: { dryRun: $dry }) }', {}],
  ['mutation($input: Change = { dryRun: true }) { change(input: $input) }', {}],
  ['mutation($dry: Boolean) { change(input: { dryRun: $dry }) }', { dry: true }],
  ['mutation { many(inputs: { dryRun: true }) }', {}],
  ['mutation($all: [Change!]) { many(inputs: $all) }', { all: [{ dryRun: true }] }],
  ['mutation($all: [Change!]) { many(inputs: $all) }', { all: { dryRun: true } }],
  [
    'mutation($a: Change!, $b: Change!) { many(inputs: [$a, $b]) }',
    { a: { dryRun: true }, b: { dryRun: true } },
  ],
  ['mutation($a: Change) { ...F } fragment F on Mutation { change(input: $a) }', { a: { dryRun: true } }],
  ['mutation { __typename many(inputs: [{ dryRun: true }, { dryRun: true }]) }', {}],
])('rolls back %s with %j and wakes no subscribers', async (query, variables) => {
  expect(await run(query, variables)).toEqual({ isDry: true, canWrite: false });
});

it.each([
  ['mutation { change(input: { dryRun: false }) }', {}],
  ['mutation($input: Change) { change(input: $input) }', { input: { dryRun: null } }],
  ['mutation($input: Change) { change(input: $input) }', { input: { dryRun: 'true' } }],
  ['mutation { change many(inputs: []) }', {}],
  ['mutation($input: Change) { change(input: $input) }', { input: {}, other: { dryRun: true } }],
])('writes for %s with %j', async (query, variables) => {
  expect(await run(query, variables)).toEqual({ isDry: false, canWrite: true });
});

it('rejects dry runs beside a mutation without inputs', async () => {
  await expect(run('mutation { change(input: { dryRun: true }) b: change }')).rejects.toMatchObject({
    issues: [{ path: ['b', 'dryRun'], code: 'INVALID_VALUE' }],
  });
});
