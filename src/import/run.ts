import { stat } from 'node:fs/promises';
import { type ReadOptions, readRecords } from '../import-formats/read.ts';
import { AppError, InvalidInputError, StartupError } from '../lib/errors.ts';
import { newUuid } from '../lib/id.ts';
import {
  type Checkpoint,
  type Counts,
  hashImport,
  noCounts,
  readCheckpoint,
  removeCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts';
import { type Plan, planOf } from './plan.ts';
import { openRefused, type Refusal, refusalOf } from './refused.ts';
import { createWriter, type ImportTarget, type Outcome, type Window } from './write.ts';

/** The most records between two checkpoints. */
const windowSize = 1000;

export interface ImportOptions extends ImportTarget {
  file: string;
  read: Omit<ReadOptions, 'from'>;
  /** Continues an import of the same file that ended early. */
  resume: boolean;
  /** Writes in one transaction that is rolled back, without a checkpoint. */
  isDryRun: boolean;
  /** Called at the start, and after each window. */
  onProgress(progress: Progress): void;
}

export interface Progress {
  /** Bytes of the file. */
  done: number;
  total: number;
  counts: Counts;
}

export interface ImportResult {
  counts: Counts;
  /** The file of the refused records; null if there are none. */
  rejectedFile: string | null;
}

type SourceItem = Awaited<ReturnType<ReturnType<typeof readRecords>['next']>>['value'];

interface Part {
  items: SourceItem[];
  /** The byte offset after the part. */
  offset: number;
}

/** Yields the records in windows. A window ends with a row, whose records stay together. */
async function* windowsOf(items: AsyncIterable<SourceItem>, from: number): AsyncGenerator<Part> {
  let part: Part = { items: [], offset: from };
  for await (const item of items) {
    part.items.push(item);
    const endsRow = item.offset > part.offset;
    part.offset = item.offset;
    if (part.items.length < windowSize || !endsRow) continue;
    yield part;
    part = { items: [], offset: item.offset };
  }
  if (part.items.length > 0) yield part;
}

/** Yields ahead: reads the next element while the caller works on one. */
async function* readAhead<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = source.next();
  try {
    for (;;) {
      const { value, done } = await next;
      if (done) return;
      next = source.next();
      // Reported when it is awaited.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    await source.return(undefined);
  }
}

interface Planned {
  item: SourceItem;
  plan: Plan | AppError;
}

function plannedOf(item: SourceItem): Planned {
  if (!('record' in item)) return { item, plan: new InvalidInputError([item.problem]) };
  try {
    return { item, plan: planOf(item.record) };
  } catch (error) {
    if (error instanceof AppError) return { item, plan: error };
    throw error;
  }
}

const recordIn = (item: SourceItem): unknown =>
  'record' in item ? { type: item.record.type, ...item.record.input } : item.raw;

type Write = ReturnType<typeof createWriter>;

/** Writes a window. Returns the refusals in the order of the file, and the new counts. */
async function writeWindow(write: Write, items: readonly SourceItem[], window: Window, counts: Counts) {
  const planned = items.map(plannedOf);
  const plans = planned.flatMap(({ plan }) => (plan instanceof AppError ? [] : [plan]));
  const outcomes = (await write(plans, window)).values();
  const refusals: Refusal[] = [];
  const total = { ...counts };
  for (const { item, plan } of planned) {
    const outcome: Outcome = plan instanceof AppError ? plan : (outcomes.next().value as Outcome);
    if (outcome instanceof AppError) {
      refusals.push(refusalOf(item.line, outcome, recordIn(item)));
      total.refused += 1;
    } else total[outcome] += 1;
  }
  return { refusals, counts: total };
}

/** Returns where the import begins. Throws StartupError if an earlier one ended early and is not resumed. */
async function startOf({ file, read, tenant, onExisting, resume }: ImportOptions): Promise<Checkpoint> {
  const hash = await hashImport(file, { ...read, tenant: tenant.name, onExisting });
  const earlier = await readCheckpoint(file);
  if (earlier === undefined) {
    return { hash, requestId: `import-${newUuid()}`, offset: 0, refusedBytes: 0, counts: noCounts };
  }
  const name = `${file}.checkpoint.json`;
  if (!resume) {
    throw new StartupError(
      `An import of ${file} is running or ended early. Continue it with --resume, or delete ${name} to start again.`,
    );
  }
  if (earlier.hash === hash) return earlier;
  throw new StartupError(
    `${file}, its mapping, the tenant or the options have changed since ${name} was written. Delete it to start again.`,
  );
}

async function writeAll(options: ImportOptions, start: Checkpoint): Promise<ImportResult> {
  const { file, isDryRun, onProgress } = options;
  const { size: total } = await stat(file);
  const write = createWriter(options);
  const refused = await openRefused(file, start.refusedBytes);
  let { counts, offset } = start;
  try {
    if (!isDryRun) await writeCheckpoint(file, start);
    onProgress({ done: offset, total, counts });
    const rows = readRecords(file, { ...options.read, from: offset });
    for await (const { items, offset: end } of readAhead(windowsOf(rows, offset))) {
      // Windows begin at the same offsets again, so a resumed import recognizes what its first one has created.
      const window = {
        requestId: `${start.requestId}-${offset}`,
        isRepeated: options.resume && offset === start.offset,
      };
      const written = await writeWindow(write, items, window, counts);
      await refused.append(written.refusals);
      offset = end;
      ({ counts } = written);
      if (!isDryRun) await writeCheckpoint(file, { ...start, offset, counts, refusedBytes: refused.size() });
      onProgress({ done: offset, total, counts });
    }
  } finally {
    await refused.close();
  }
  if (!isDryRun) await removeCheckpoint(file);
  return { counts, rejectedFile: counts.refused > 0 ? refused.path : null };
}

/**
 * Imports the records of a file. A refused record does not affect the others. Throws StartupError, and UnavailableError
 * if the database fails; then the import can be resumed.
 */
export async function runImport(options: ImportOptions): Promise<ImportResult> {
  if (!options.isDryRun) return writeAll(options, await startOf(options));
  const start = { hash: '', requestId: 'dry-run', offset: 0, refusedBytes: 0, counts: noCounts };
  const { database } = options;
  return database.inOneTransaction((runner) => writeAll({ ...options, database: runner }, start), {
    isDryRun: true,
  });
}
