import { readConfig } from '../config.ts';
import type { Database } from '../db/client.ts';
import { applyMigrations, compareMigrations } from '../db/migrate.ts';
import { countOf } from '../lib/wording.ts';
import { withDatabase } from './database.ts';
import { type Printed, printResult } from './output.ts';

/** `accountgraph migrate`: applies missing migrations, or only counts them. */
export async function migrateCommand(options: Printed & { check?: boolean }): Promise<void> {
  const { check = false } = options;
  const work = (database: Database) =>
    check ? compareMigrations(database).then(({ missing }) => missing) : applyMigrations(database);
  const count = await withDatabase(readConfig(), work, { migrates: true });
  const counted = countOf(count, 'migration');
  const text = check ? `The database lacks ${counted}.` : `Applied ${counted}.`;
  printResult(
    check ? { missing: count } : { applied: count },
    count === 0 ? 'The database is up to date.' : text,
    options,
  );
  if (check && count > 0) process.exitCode = 1;
}
