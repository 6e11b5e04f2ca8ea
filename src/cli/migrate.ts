import { readConfig } from '../config.ts';
import { applyMigrations, countMissingMigrations } from '../db/migrate.ts';
import { withDatabase } from './database.ts';
import { type Printed, printResult } from './output.ts';

const counted = (count: number): string => (count === 1 ? '1 migration' : `${count} migrations`);

/** `accountgraph migrate`: applies missing migrations, or only counts them. */
export async function migrateCommand(options: Printed & { check?: boolean }): Promise<void> {
  const { check = false } = options;
  const work = check ? countMissingMigrations : applyMigrations;
  const count = await withDatabase(readConfig(), work, { migrates: true });
  const result = check ? { missing: count } : { applied: count };
  const text = check ? `The database lacks ${counted(count)}.` : `Applied ${counted(count)}.`;
  printResult(result, count === 0 ? 'The database is up to date.' : text, options);
  if (check && count > 0) process.exitCode = 1;
}
