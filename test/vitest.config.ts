import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const root = fileURLToPath(new URL('..', import.meta.url));
// Without the alias, vitest also loads graphql as an ES module, whose types differ.
const aliasIn = (folder: string) => {
  const { resolve } = createRequire(new URL(folder, import.meta.url));
  return [{ find: /^graphql$/, replacement: resolve('graphql') }];
};
const alias = aliasIn('');

/** Slow tests: child processes, large tenants and waits. */
const long = [
  'test/auth/jwt.test.ts',
  'test/cli/**/*.test.ts',
  'test/contract/**/*.test.ts',
  'test/db/pool.test.ts',
  'test/faults/**/*.test.ts',
  'test/feed/subscription-*.test.ts',
  'test/listing/filtered-orders.test.ts',
  'test/listing/large-tenant.test.ts',
  'test/package/**/*.test.ts',
  'test/pipeline/differential-long.test.ts',
  'test/readme/**/*.test.ts',
];

/** Tests that cause repeated failures or need PgBouncer, haproxy or the tools of PostgreSQL. */
const faults = ['backup', 'crash', 'overload', 'pooler', 'rolling-restart', 'soak'].map(
  (name) => `test/faults/${name}.test.ts`,
);

/** Starts the slowest file first: by default, a new checkout starts the largest files first. */
class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isSlowest = ({ moduleId }: TestSpecification) => moduleId.endsWith('differential-long.test.ts');
    const sorted = await super.sort(files);
    return [...sorted.filter(isSlowest), ...sorted.filter((file) => !isSlowest(file))];
  }
}

export default defineConfig({
  root,
  test: {
    // By default vitest reserves a core, which leaves one worker on a machine with two.
    maxWorkers: '100%',
    sequence: { sequencer: SlowestFirst },
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'service',
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/browser/**',
            'test/clients/**',
            'test/schema/**',
            'test/supergraph/**',
            '**/node_modules/**',
            ...long,
          ],
          globalSetup: 'test/support/global-setup.ts',
          // Modules have no state, and reloading them for each file would take half of the time.
          isolate: false,
          testTimeout: 20_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'long',
          include: long,
          exclude: faults,
          globalSetup: ['test/support/global-setup.ts', 'test/cli/build.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'faults',
          include: [...faults, 'test/faults/fuzz.test.ts'],
          globalSetup: ['test/support/global-setup.ts', 'test/cli/build.ts'],
          // One file at a time, because the tests print recovery times.
          fileParallelism: false,
          testTimeout: 3_600_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'clients',
          include: ['test/clients/*.test.ts'],
          globalSetup: 'test/cli/build.ts',
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      { test: { name: 'schema', include: ['test/schema/*.test.ts'], testTimeout: 60_000 } },
      {
        resolve: { alias: aliasIn('supergraph/') },
        test: {
          name: 'supergraph',
          include: ['test/supergraph/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts', 'test/cli/build.ts'],
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          globalSetup: 'test/cli/build.ts',
          testTimeout: 90_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
