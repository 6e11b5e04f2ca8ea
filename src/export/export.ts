import type { Database, Run } from '../db/client.ts';
import { createAppend } from '../feed/append.ts';
import { encodePosition, parsePosition, start } from '../feed/position.ts';
import type { FeedRequest } from '../feed/read.ts';
import type { RecordType } from '../import/rules.ts';
import { createCsv } from './csv.ts';
import { readAccounts, readChanges, readCustomers, readHead } from './read.ts';
import { accountRecord, changeRecord, customerRecord, type EntityRecord } from './record.ts';

/** The tenant to export, and its database, whose limits must allow a long transaction of short statements. */
export interface ExportSource {
  database: Database;
  tenantId: number;
}

type Format = { format: 'ndjson'; type?: RecordType | undefined } | { format: 'csv'; type: RecordType };

export type RecordOptions = Format & {
  /** Whether to leave out archived entities and what the system makes, so that another tenant can import the rest. */
  portable: boolean;
  /** Only entities that changed after this position. */
  since?: string | undefined;
};

export interface RecordCounts {
  customers: number;
  accounts: number;
}

export interface ChangeCounts {
  changes: number;
}

/**
 * Takes the text of an export to its end. Each chunk is a page, which is read when the consumer requests it. `counts`
 * are those of the chunks so far.
 */
export type Consume<Counts> = (
  chunks: AsyncGenerator<string, void>,
  counts: Readonly<Counts>,
) => Promise<void>;

/** The counts of an export, and the position from which the next one continues. */
export type Exported<Counts> = Counts & { position: string };

type After = FeedRequest['after'];

interface Export<Counts> {
  since: string | undefined;
  counts: Counts;
  chunksOf(run: Run, after: After): AsyncGenerator<string, void>;
  consume: Consume<Counts>;
}

/**
 * Runs an export in one snapshot. A change that commits between the append and the snapshot is in the snapshot, but its
 * position will be after the returned one.
 */
async function exportSnapshot<Counts extends object>(
  { database, tenantId }: ExportSource,
  { since, counts, chunksOf, consume }: Export<Counts>,
): Promise<Exported<Counts>> {
  const after = since === undefined ? start : parsePosition(since, 'since');
  await createAppend(database)();
  return database.snapshot(async (runAny) => {
    const run: Run = (statement, values) => runAny(statement, { ...values, tenantId });
    const head = await readHead(run, after);
    let isComplete = false;
    async function* chunks(): AsyncGenerator<string, void> {
      yield* chunksOf(run, after);
      isComplete = true;
    }
    await consume(chunks(), counts);
    if (!isComplete) throw new Error('The consumer of the export did not read it to its end.');
    return { ...counts, position: encodePosition(head) };
  });
}

function ndjson(records: readonly object[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

async function* recordsOf(
  run: Run,
  { type, portable }: RecordOptions,
  since: After | undefined,
  counts: RecordCounts,
): AsyncGenerator<EntityRecord[], void> {
  if (type !== 'account') {
    for await (const found of readCustomers(run, { portable, since })) {
      counts.customers += found.length;
      yield found.map((customer) => customerRecord(customer, portable));
    }
  }
  if (type === 'customer') return;
  for await (const found of readAccounts(run, { portable, since })) {
    counts.accounts += found.length;
    yield found.map((account) => accountRecord(account, portable));
  }
}

/**
 * Exports the customers and accounts of a tenant in the order of their creation, customers first, from one snapshot.
 * With `since`, an entity that changed while an earlier export began can be in both.
 * @throws InvalidInputError if `since` is not a position of the tenant
 * @throws UnavailableError, and the errors of `consume`
 */
export function exportRecords(
  source: ExportSource,
  options: RecordOptions,
  consume: Consume<RecordCounts>,
): Promise<Exported<RecordCounts>> {
  const { since } = options;
  const counts = { customers: 0, accounts: 0 };
  async function* chunksOf(run: Run, after: After): AsyncGenerator<string, void> {
    const csv = options.format === 'csv' ? createCsv(options.type, options.portable) : undefined;
    if (csv !== undefined) yield csv.header();
    const write = csv?.lines ?? ndjson;
    for await (const records of recordsOf(run, options, since === undefined ? undefined : after, counts)) {
      yield write(records);
    }
  }
  return exportSnapshot(source, { since, counts, chunksOf, consume });
}

/**
 * Exports the changes of a tenant in the order of the feed, as NDJSON: all, or those after the position `since`. The
 * position of the last line continues exactly.
 * @throws InvalidInputError if `since` is not a position of the tenant
 * @throws UnavailableError, and the errors of `consume`
 */
export function exportHistory(
  source: ExportSource,
  { since }: { since?: string | undefined },
  consume: Consume<ChangeCounts>,
): Promise<Exported<ChangeCounts>> {
  const counts = { changes: 0 };
  async function* chunksOf(run: Run, after: After): AsyncGenerator<string, void> {
    for await (const entries of readChanges(run, after)) {
      counts.changes += entries.length;
      yield ndjson(entries.map(changeRecord));
    }
  }
  return exportSnapshot(source, { since, counts, chunksOf, consume });
}
