import { createReadStream } from 'node:fs';
import { readConfig } from '../config.ts';
import type { Counts } from '../import/checkpoint.ts';
import type { ExistingMode, ImportFormat, RecordType } from '../import/rules.ts';
import { type ImportResult, runImport } from '../import/run.ts';
import { maxConcurrentBatches } from '../import/write.ts';
import { unreadable } from '../import-formats/file.ts';
import { readMapping } from '../import-formats/mapping.ts';
import { UnreachableError, UsageError } from '../lib/errors.ts';
import { createLog } from '../observe/log.ts';
import { requireTenant } from '../tenant/write.ts';
import { withDatabase } from './database.ts';
import { type Printed, printResult } from './output.ts';
import { createProgress } from './progress.ts';

type Options = Printed & {
  tenant: string;
  type?: RecordType;
  format?: ImportFormat;
  map?: string;
  onExisting: ExistingMode;
  dryRun?: boolean;
  resume?: boolean;
};

/** Returns the format that the extension of a file names. */
function formatOf(file: string): ImportFormat {
  const extension = /\.(\w+)$/.exec(file)?.[1]?.toLowerCase();
  if (extension === 'csv') return 'csv';
  if (extension === 'ndjson' || extension === 'jsonl' || extension === 'json') return 'ndjson';
  throw new UsageError(`The name of ${file} does not tell its format. Set --format.`);
}

const total = ({ created, updated, unchanged, skipped, refused }: Counts): number =>
  created + updated + unchanged + skipped + refused;

const written = ['created', 'updated', 'unchanged', 'skipped'] as const;

function summaryOf({ counts, rejectedFile }: ImportResult, isDryRun: boolean): string {
  const parts = written.filter((name) => name === 'created' || counts[name] > 0);
  const done = parts.map((name) => `${counts[name]} ${name}`).join(', ');
  const start = isDryRun ? 'Nothing was written. An import would have this result' : 'The import is complete';
  const lines = [`${start}: ${done}, ${counts.refused} refused.`];
  if (rejectedFile !== null) lines.push(`The refused records and their problems are in ${rejectedFile}.`);
  return lines.join('\n');
}

/** Throws StartupError if the file cannot be read, before the database is opened. */
async function requireReadable(file: string): Promise<void> {
  try {
    for await (const _ of createReadStream(file, { end: 0 })) return;
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** `accountgraph import`. */
export async function importCommand(file: string, options: Options): Promise<void> {
  const { dryRun = false, resume = false, type, onExisting } = options;
  await requireReadable(file);
  const format = options.format ?? formatOf(file);
  const mapping = options.map === undefined ? undefined : await readMapping(options.map);
  const progress = createProgress();
  let hasBegun = false;
  const config = readConfig();
  const poolSize = maxConcurrentBatches + 1;
  const work = withDatabase(
    config,
    async (database) =>
      runImport({
        file,
        read: { format, type, mapping },
        resume,
        isDryRun: dryRun,
        onExisting,
        database,
        tenant: await requireTenant(database, options.tenant),
        log: createLog(config.logLevel),
        onProgress({ done, total: size, counts }) {
          hasBegun = true;
          const note = counts.refused > 0 ? `, ${counts.refused} refused` : '';
          progress.show({ done, total: size, records: total(counts), note });
        },
      }),
    { poolSize },
  );
  const result = await work
    .catch((error: unknown) => {
      if (dryRun || !hasBegun || !(error instanceof UnreachableError)) throw error;
      throw new UnreachableError(`${error.message} Then continue the import with --resume.`);
    })
    .finally(() => progress.stop());
  printResult({ ...result, isDryRun: dryRun }, summaryOf(result, dryRun), options);
  if (result.counts.refused > 0) process.exitCode = 1;
}
