import { randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImportOptions, runImport } from '../../src/import/run.ts';
import { StartupError } from '../../src/lib/errors.ts';
import { requireTenant } from '../../src/tenant/write.ts';
import { changesOf, stored } from '../support/database.ts';
import { listOf } from '../support/field-limits.ts';
import { setting } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
let directory = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ag-import-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const address = { line1: '1 Main St', country: 'DE' };
const customer = (id: string, fields: object = {}) => ({
  type: 'customer',
  id,
  name: `Customer ${id}`,
  primaryEmail: `${id.toLowerCase()}@example.com`,
  address,
  ...fields,
});
const account = (id: string, fields: object = {}) => ({
  type: 'account',
  id,
  name: `Account ${id}`,
  customerId: 'C',
  ...fields,
});

interface Target {
  client: Client;
  name: string;
}

async function newTarget(): Promise<Target> {
  const name = `import-${randomUUID()}`.slice(0, 40);
  return { client: await service.newTenant({ name }), name };
}

const pathOf = () => join(directory, `${randomUUID()}.ndjson`);

async function fileOf(records: readonly (object | string)[]): Promise<string> {
  const file = pathOf();
  const lines = records.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

async function importFile({ name }: Target, file: string, options: Partial<ImportOptions> = {}) {
  const { counts, rejectedFile } = await runImport({
    file,
    read: { format: 'ndjson' },
    resume: false,
    isDryRun: false,
    onExisting: 'fail',
    database: service.database,
    tenant: await requireTenant(service.database, name),
    log: pino({ level: 'silent' }),
    onProgress: () => undefined,
    ...options,
  });
  const text = rejectedFile === null ? '' : await readFile(rejectedFile, 'utf8');
  const refusals: Json[] = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return { counts, refusals };
}

const importRecords = async (target: Target, records: object[], options: Partial<ImportOptions> = {}) =>
  importFile(target, await fileOf(records), options);

/** Returns the counts of a result, with 0 for those that are not given. */
const counts = (given: object) => ({
  created: 0,
  updated: 0,
  unchanged: 0,
  skipped: 0,
  refused: 0,
  ...given,
});

const readAccount = `query Account($id: ID!) {
  account(id: $id) {
    id name status version netTermDays primaryEmail tags metadata customer { id }
    aliases { value effectiveFrom effectiveUntil } settings { namespace id value }
    history(first: 5) { nodes { kind actor requestId } }
  }
}`;

async function find({ client }: Target, id: string): Promise<Json> {
  const { data, errors } = await client.send(readAccount, { id });
  expect(errors).toBeUndefined();
  return data.account;
}

describe('an import', () => {
  it('creates customers before the accounts that name them, and leaves one change each', async () => {
    const target = await newTarget();
    const records = [
      account('A', { netTermDays: 7, tags: ['New'], metadata: { a: 'b' }, aliases: ['a@example.com'] }),
      customer('C'),
      account('B', { status: 'DRAFT', settings: [setting('s')] }),
    ];
    expect(await importRecords(target, records)).toEqual({ counts: counts({ created: 3 }), refusals: [] });
    expect(await find(target, 'A')).toMatchObject({
      name: 'Account A',
      version: 1,
      netTermDays: 7,
      tags: ['new'],
      metadata: { a: 'b' },
      aliases: [{ value: 'a@example.com' }],
      history: { nodes: [{ kind: 'ACCOUNT_CREATED', actor: 'cli:import' }] },
    });
    expect(await find(target, 'B')).toMatchObject({ status: 'DRAFT', settings: [{ id: 's' }] });
    const { changes } = await stored(service, target.client);
    expect(changes).toHaveLength(3);
  });

  it('takes more aliases and settings than one call', async () => {
    const target = await newTarget();
    const until = new Date(Date.now() + 1e9).toISOString();
    const record = account('A', {
      aliases: listOf(35, (index) => `plain-${index}`),
      datedAliases: listOf(25, (index) => ({ value: `dated-${index}`, effectiveUntil: new Date(until) })),
      settings: listOf(95, (index) => setting(`s${index}`)),
    });
    const { refusals } = await importRecords(target, [customer('C'), record]);
    expect(refusals).toEqual([]);
    const found = await find(target, 'A');
    expect(found.aliases).toHaveLength(60);
    expect(found.aliases.filter((alias: Json) => alias.effectiveUntil === until)).toHaveLength(25);
    expect(found.settings).toHaveLength(95);
  });

  it.each([
    [{ aliases: listOf(25, (index) => (index === 17 ? 'taken' : `a-${index}`)) }, 'ALIAS_TAKEN', ['aliases']],
    [
      { aliases: listOf(25, (index) => (index === 17 ? ' bad ' : `a-${index}`)) },
      'INVALID_FORMAT',
      ['aliases', '17'],
    ],
    [{ aliases: listOf(101, (index) => `a-${index}`) }, 'LIMIT_EXCEEDED', []],
    [{ settings: listOf(25, (index) => setting(`s${index % 24}`)) }, 'DUPLICATE', ['settings', '24']],
    [{ settings: listOf(101, (index) => setting(`s${index}`)) }, 'TOO_MANY', ['settings']],
  ])('writes nothing of a record that one of its calls refuses', async (fields, code, path) => {
    const target = await newTarget();
    const records = [customer('C'), account('B', { aliases: ['taken'] }), account('A', fields)];
    const { counts: result, refusals } = await importRecords(target, records);
    expect(result).toEqual(counts({ created: 2, refused: 1 }));
    expect(refusals).toMatchObject([{ line: 3, code, path: expect.arrayContaining(path) }]);
    expect(await find(target, 'A')).toBeNull();
    const { aliases, settings } = await stored(service, target.client);
    expect([aliases.filter(({ accountId }) => accountId === 'A'), settings]).toEqual([[], []]);
  });

  it('reports the line, path, code and message of refused records, and imports the others', async () => {
    const target = await newTarget();
    const bad = account('B', { netTermDays: 1000, primaryEmail: 'nobody' });
    const file = await fileOf([
      customer('C'),
      bad,
      '{"type":"account",',
      account('D', { customerId: 'nobody' }),
      account('A'),
      account('E', { colour: 'red' }),
      account('A', { name: 'Again' }),
    ]);
    const { counts: result, refusals } = await importFile(target, file);
    expect(result).toEqual(counts({ created: 2, refused: 5 }));
    expect(refusals).toMatchObject([
      {
        line: 2,
        path: ['netTermDays'],
        code: 'TOO_LARGE',
        message: 'netTermDays must be at most 365.',
        more: [{ path: ['primaryEmail'], code: 'INVALID_FORMAT' }],
        record: bad,
      },
      { line: 3, path: [], code: 'INVALID_FORMAT', record: '{"type":"account",' },
      { line: 4, path: ['customerId'], code: 'NOT_FOUND', message: 'There is no customer "nobody".' },
      { line: 6, path: ['colour'], code: 'UNKNOWN_FIELD' },
      { line: 7, path: ['id'], code: 'ID_TAKEN' },
    ]);
    expect(await find(target, 'A')).toMatchObject({ name: 'Account A' });
  });

  it('keeps the order of records that share a name', async () => {
    const target = await newTarget();
    const ended = { value: 'B', effectiveUntil: '2020-01-01T00:00:00.000Z' };
    const { refusals } = await importRecords(target, [
      customer('C'),
      account('A', { datedAliases: [ended] }),
      account('B'),
    ]);
    expect(refusals).toEqual([]);
    expect((await find(target, 'B')).id).toBe('B');
  });

  it('writes only to its tenant', async () => {
    const [one, other] = [await newTarget(), await newTarget()];
    await importRecords(one, [customer('C'), account('A', { aliases: ['x'] })]);
    const { refusals } = await importRecords(other, [account('A', { aliases: ['x'] })]);
    expect(refusals).toMatchObject([{ code: 'NOT_FOUND', path: ['customerId'] }]);
    expect(await find(other, 'A')).toBeNull();
  });
});

describe('an import of existing records', () => {
  const records = [customer('C'), account('A', { aliases: ['a'], netTermDays: 7 })];

  it('refuses them by default', async () => {
    const target = await newTarget();
    await importRecords(target, records);
    const { counts: result, refusals } = await importRecords(target, records);
    expect(result).toEqual(counts({ refused: 2 }));
    expect(refusals.map(({ code }) => code)).toEqual(['ID_TAKEN', 'ID_TAKEN']);
  });

  it('skips them with skip', async () => {
    const target = await newTarget();
    await importRecords(target, records);
    const changed = [customer('C', { name: 'X' }), account('A', { name: 'X' }), account('B')];
    const result = await importRecords(target, changed, { onExisting: 'skip' });
    expect(result).toEqual({ counts: counts({ created: 1, skipped: 2 }), refusals: [] });
    expect(await find(target, 'A')).toMatchObject({ name: 'Account A', version: 1 });
  });

  it('changes the given fields with update, and counts records without a difference', async () => {
    const target = await newTarget();
    await importRecords(target, records);
    const update = { onExisting: 'update' } as const;
    expect((await importRecords(target, records, update)).counts).toEqual(counts({ unchanged: 2 }));
    const aliases = ['a', ...listOf(12, (index) => `more-${index}`)];
    const fields = { name: 'New', netTermDays: null, aliases, settings: [setting('s')] };
    const result = await importRecords(target, [customer('C'), account('A', fields)], update);
    expect(result).toEqual({ counts: counts({ updated: 1, unchanged: 1 }), refusals: [] });
    const found = await find(target, 'A');
    expect(found).toMatchObject({ name: 'New', netTermDays: 30, settings: [{ id: 's' }] });
    expect(found.aliases).toHaveLength(13);
    expect((await importRecords(target, [account('A', fields)], update)).counts).toEqual(
      counts({ unchanged: 1 }),
    );
  });

  it('writes nothing of an update that is refused', async () => {
    const target = await newTarget();
    await importRecords(target, [...records, customer('D'), account('B', { aliases: ['b'] })]);
    await mutate(target.client, 'archiveAccount', { id: 'B' });
    const { refusals } = await importRecords(
      target,
      [account('A', { customerId: 'D' }), account('A', { name: 'New', aliases: ['C2', 'B'] }), account('B')],
      { onExisting: 'update' },
    );
    expect(refusals).toMatchObject([
      {
        path: ['customerId'],
        code: 'INVALID_VALUE',
        message: 'customerId is "D", but the account belongs to "C", and an account keeps its customer.',
      },
      { path: ['aliases'], code: 'ALIAS_TAKEN' },
      { code: 'NOT_ALLOWED_IN_STATUS' },
    ]);
    expect(await find(target, 'A')).toMatchObject({ name: 'Account A', version: 1 });
  });
});

describe('a dry run', () => {
  it('returns the result of an import, and writes nothing', async () => {
    const target = await newTarget();
    const records = [
      customer('C'),
      account('A', { aliases: listOf(15, (index) => `a-${index}`) }),
      account('B', { aliases: ['a-12'] }),
      account('A'),
    ];
    const dry = await importRecords(target, records, { isDryRun: true });
    expect(dry.counts).toEqual(counts({ created: 2, refused: 2 }));
    const { customers, accounts, aliases, changes } = await stored(service, target.client);
    expect([customers, accounts, aliases, changes]).toEqual([[], [], [], []]);
    expect(await importRecords(target, records)).toEqual(dry);
  });
});

describe('an import that ended early', () => {
  const records = [
    customer('C'),
    ...listOf(2499, (index) => account(`A${index}`, { aliases: [`a${index}`] })),
  ];

  /** Imports a file until the end of a window. */
  async function importPart(
    target: Target,
    file: string,
    windows: number,
    options: Partial<ImportOptions> = {},
  ): Promise<void> {
    let window = -1;
    const failing = importFile(target, file, {
      ...options,
      onProgress() {
        window += 1;
        if (window === windows) throw new Error('killed');
      },
    });
    await expect(failing).rejects.toThrow('killed');
  }

  it('continues after its checkpoint, and writes each record once', async () => {
    const target = await newTarget();
    const file = await fileOf(records);
    await importPart(target, file, 1);
    const { accounts } = await stored(service, target.client);
    expect(accounts).toHaveLength(999);
    expect(await importFile(target, file, { resume: true })).toEqual({
      counts: counts({ created: 2500 }),
      refusals: [],
    });
    const { changes } = await stored(service, target.client);
    expect(changes).toHaveLength(2500);
  });

  it('recognizes records that it wrote after its last checkpoint', async () => {
    const target = await newTarget();
    const file = await fileOf(records);
    await importPart(target, file, 1);
    await copyFile(`${file}.checkpoint.json`, `${file}.saved`);
    await importPart(target, file, 1, { resume: true });
    // As if the process had ended before it wrote its second checkpoint.
    await copyFile(`${file}.saved`, `${file}.checkpoint.json`);
    expect(await importFile(target, file, { resume: true })).toEqual({
      counts: counts({ created: 2500 }),
      refusals: [],
    });
    expect(await changesOf(service, target.client)).toHaveLength(2500);
  });

  it.each([
    ['fail', counts({ created: 1500, refused: 2 })],
    ['skip', counts({ created: 1500, skipped: 2 })],
    ['update', counts({ created: 1500, updated: 2 })],
  ] as const)('treats repeated ids with %s as without an interruption', async (onExisting, expected) => {
    const target = await newTarget();
    const again = [account('A5', { name: 'New' }), account('A1200', { name: 'New' })];
    const file = await fileOf([...records.slice(0, 1400), ...again, ...records.slice(1400, 1500)]);
    await importPart(target, file, 1, { onExisting });
    await copyFile(`${file}.checkpoint.json`, `${file}.saved`);
    await importPart(target, file, 1, { onExisting, resume: true });
    // As if the process had ended before it wrote its second checkpoint.
    await copyFile(`${file}.saved`, `${file}.checkpoint.json`);
    const { counts: result, refusals } = await importFile(target, file, { onExisting, resume: true });
    // An update that was written before has no difference left.
    const { updated, unchanged, ...others } = result;
    expect({ ...others, updated: updated + unchanged, unchanged: 0 }).toEqual(expected);
    expect(refusals.map(({ line }) => line)).toEqual(onExisting === 'fail' ? [1401, 1402] : []);
    expect(await find(target, 'A1200')).toMatchObject({
      name: onExisting === 'update' ? 'New' : 'Account A1200',
    });
  });

  it('lists a refused record once', async () => {
    const target = await newTarget();
    const file = await fileOf([
      account('X', { customerId: 'nobody' }),
      ...records,
      account('Y', { netTermDays: -1 }),
    ]);
    await importPart(target, file, 2);
    const { counts: result, refusals } = await importFile(target, file, { resume: true });
    expect(result).toEqual(counts({ created: 2500, refused: 2 }));
    expect(refusals.map(({ line }) => line)).toEqual([1, 2502]);
  });

  it('refuses to start again without --resume, and to resume a file that has changed', async () => {
    const target = await newTarget();
    const file = await fileOf(records);
    await importPart(target, file, 1);
    await expect(importFile(target, file)).rejects.toThrow(
      new StartupError(
        `An import of ${file} is running or ended early. Continue it with --resume, or delete ${file}.checkpoint.json to start again.`,
      ),
    );
    await expect(importFile(target, file, { resume: true, onExisting: 'skip' })).rejects.toThrow(
      /have changed/,
    );
    await writeFile(file, JSON.stringify(customer('D')));
    await expect(importFile(target, file, { resume: true })).rejects.toThrow(/have changed since/);
  });
});
