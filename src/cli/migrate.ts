import { readConfig } from '../config.ts';
import { applyMigrations } from '../db/migrate.ts';
import { withDatabase } from './database.ts';

/** `accountgraph migrate`: applies missing migrations. */
export async function migrateCommand(): Promise<void> {
  const applied = await withDatabase(readConfig(), applyMigrations, { migrates: true });
  if (applied === 0) console.log('The database is up to date.');
  else console.log(`Applied ${applied === 1 ? '1 migration' : `${applied} migrations`}.`);
}
