import { afterAll, beforeAll } from 'vitest';
import { type Database, openDatabase } from '../../src/db/client.ts';
import {
  type ChangeCounts,
  type Exported,
  type ExportSource,
  exportHistory,
  exportRecords,
  type RecordCounts,
  type RecordOptions,
} from '../../src/export/export.ts';
import { mutate } from './mutations.ts';
import type { Client, Json, Service } from './service.ts';

/** What an export wrote and returned. */
export type Outcome<Counts> = Exported<Counts> & { text: string };

export interface Exports {
  database: Database;
  records(client: Client, options?: Partial<RecordOptions>): Promise<Outcome<RecordCounts>>;
  history(client: Client, since?: string): Promise<Outcome<ChangeCounts>>;
}

export const everything: RecordOptions = { format: 'ndjson', portable: false };

/** Exports records as NDJSON with all fields, unless the options say otherwise. */
export async function readRecords(
  source: ExportSource,
  options: Partial<RecordOptions> = {},
): Promise<Outcome<RecordCounts>> {
  let text = '';
  const exported = await exportRecords(
    source,
    { ...everything, ...options } as RecordOptions,
    async (chunks) => {
      for await (const chunk of chunks) text += chunk;
    },
  );
  return { ...exported, text };
}

/** Returns the exports of a service. They use a database without timeouts, as the command does. */
export function useExports(service: Service): Exports {
  let database: Database;
  beforeAll(() => {
    database = openDatabase({ connection: service.connection, poolSize: 2 });
  });
  afterAll(() => database.close());
  return {
    get database() {
      return database;
    },
    records: ({ tenantId }, options) => readRecords({ database, tenantId }, options),
    async history({ tenantId }, since) {
      let text = '';
      const exported = await exportHistory({ database, tenantId }, { since }, async (chunks) => {
        for await (const chunk of chunks) text += chunk;
      });
      return { ...exported, text };
    },
  };
}

/** Parses NDJSON, whose lines all end with `\n`. */
export function linesOf({ text }: { text: string }): Json[] {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new Error('The last line has no end.');
  return lines.map((line) => JSON.parse(line));
}

export const idsOf = (exported: { text: string }): string[] => linesOf(exported).map(({ id }) => id);

const maxPerCall = 10;

function chunksOf<T>(list: readonly T[], from = 0): T[][] {
  const starts = Array.from({ length: Math.ceil((list.length - from) / maxPerCall) }, (_, n) => n);
  return starts.map((n) => list.slice(from + n * maxPerCall, from + (n + 1) * maxPerCall));
}

type Alias = string | { value: string };

function listsOf(aliases: readonly Alias[]) {
  const plain = aliases.filter((alias) => typeof alias === 'string');
  return { aliases: plain, datedAliases: aliases.filter((alias) => typeof alias !== 'string') };
}

/** Creates the entities of records through the API, in their order. Lists that are too long take several calls. */
export async function importRecords(client: Client, records: readonly Json[]): Promise<void> {
  for (const { type, aliases = [], datedAliases = [], settings = [], ...fields } of records) {
    const isAccount = type === 'account';
    const spans: Alias[] = [...aliases, ...datedAliases];
    const first = { ...fields, settings: settings.slice(0, maxPerCall) };
    await (isAccount
      ? mutate(client, 'createAccount', { ...first, ...listsOf(spans.slice(0, maxPerCall)) })
      : mutate(client, 'createCustomer', first));
    for (const more of chunksOf(spans, maxPerCall))
      await mutate(client, 'addAliases', { accountId: fields.id, ...listsOf(more) });
    for (const more of chunksOf(settings, maxPerCall))
      await mutate(client, 'putSettings', {
        [isAccount ? 'accountId' : 'customerId']: fields.id,
        settings: more,
      });
  }
}
