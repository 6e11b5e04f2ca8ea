import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { readConfig } from '../config.ts';
import type { Database } from '../db/client.ts';
import {
  type ChangeCounts,
  type Exported,
  exportHistory,
  exportRecords,
  type RecordCounts,
  type RecordOptions,
} from '../export/export.ts';
import type { ExportFormat, RecordType } from '../import/rules.ts';
import { InvalidInputError, StartupError, UsageError } from '../lib/errors.ts';
import { countOf } from '../lib/wording.ts';
import { tenantSize } from '../tenant/read.ts';
import { requireTenant } from '../tenant/write.ts';
import { withDatabase } from './database.ts';
import type { Printed } from './output.ts';
import { createProgress } from './progress.ts';

type Options = Printed & {
  tenant: string;
  output?: string;
  format: ExportFormat;
  type?: RecordType;
  portable?: boolean;
  since?: string;
  history?: boolean;
};

type AnyExport = Exported<RecordCounts> | Exported<ChangeCounts>;

/** Where an export goes: standard output, or a file that gets its name when it is complete. */
interface Sink {
  stream: NodeJS.WritableStream;
  /** Returns why the stream cannot be written. */
  failure(): NodeJS.ErrnoException | undefined;
  complete(): Promise<unknown>;
  discard(): Promise<unknown>;
}

function openSink(output: string | undefined): Sink {
  const partial = `${output}.partial`;
  const isFile = output !== undefined;
  const stream = isFile ? createWriteStream(partial, { mode: 0o600, flush: true }) : process.stdout;
  let failure: NodeJS.ErrnoException | undefined;
  stream.on('error', (error) => {
    failure ??= error;
  });
  return {
    stream,
    failure: () => failure,
    complete: async () => isFile && rename(partial, output),
    discard: async () => isFile && rm(partial, { force: true }),
  };
}

function recordOptions({ format, type, portable = false, since }: Options): RecordOptions {
  const common = { portable, since };
  if (format === 'ndjson') return { ...common, format, type };
  if (type !== undefined) return { ...common, format, type };
  throw new UsageError('A CSV file has records of one type. Set --type customer or --type account.');
}

/** Throws UsageError if options contradict each other, before the database and the file are opened. */
function checkOptions(options: Options): void {
  const { history, portable, format, type } = options;
  if (!history) recordOptions(options);
  else if (portable || format === 'csv' || type !== undefined)
    throw new UsageError('A history has all changes as NDJSON. Leave out --portable, --format and --type.');
}

async function exportTo(sink: Sink, database: Database, options: Options): Promise<AnyExport> {
  const { id: tenantId } = await requireTenant(database, options.tenant);
  const [size] = await database.run(tenantSize, { tenantId });
  const total = (size?.customers ?? 0) + (size?.accounts ?? 0);
  const progress = createProgress();
  const consume = async (chunks: AsyncGenerator<string, void>, counts: Readonly<object>) => {
    async function* counted() {
      for await (const chunk of chunks) {
        yield chunk;
        const records = Object.values(counts).reduce((sum: number, count: number) => sum + count, 0);
        // The number of changes is not known, and a bar would mix with data on the same terminal.
        if (!options.history && !process.stdout.isTTY)
          progress.show({ done: records, total, records, note: '' });
      }
    }
    await pipeline(counted, sink.stream, { end: sink.stream !== process.stdout });
  };
  const source = { database, tenantId };
  try {
    if (options.history) return await exportHistory(source, { since: options.since }, consume);
    return await exportRecords(source, recordOptions(options), consume);
  } finally {
    progress.stop();
  }
}

function summaryOf({ position, ...counts }: AnyExport): string {
  const units: Record<string, string> = { customers: 'customer', accounts: 'account', changes: 'change' };
  const parts = Object.entries(counts).map(([name, count]) => countOf(count, units[name] ?? name));
  return `Exported ${parts.join(' and ')}. Export what changes from now on with --since ${position}`;
}

/** Converts the errors of a wrong option, and of output that cannot be written. Returns other errors. */
function explain(error: unknown, { output }: Options, failure: NodeJS.ErrnoException | undefined): unknown {
  if (failure !== undefined)
    return new StartupError(`${output ?? 'Standard output'} cannot be written: ${failure.message}.`);
  return error instanceof InvalidInputError ? new StartupError(`The option --${error.message}.`) : error;
}

/** `accountgraph export`. */
export async function exportCommand(options: Options): Promise<void> {
  checkOptions(options);
  const sink = openSink(options.output);
  try {
    const exported = await withDatabase(readConfig(), (database) => exportTo(sink, database, options));
    await sink.complete();
    const summary = options.json ? JSON.stringify(exported) : summaryOf(exported);
    // Standard output has the data, unless that goes to a file.
    if (options.output === undefined) console.error(summary);
    else console.log(summary);
  } catch (error) {
    await sink.discard();
    const failure = sink.failure();
    // The reader of standard output, such as `head`, has enough.
    if (failure?.code === 'EPIPE' && options.output === undefined) return;
    throw explain(error, options, failure);
  }
}
