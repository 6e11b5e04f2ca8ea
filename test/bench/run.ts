import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import postgres from 'postgres';
import { type BenchDatabase, makeDatabase, startDatabase } from './database.ts';
import { measureGrowth } from './growth.ts';
import { cpuUs, median, memoryMb, startLoader } from './measure.ts';
import { print, publish, type Result } from './report.ts';
import { ask, type Contestant, contestants, type Ground, type Running, start } from './services.ts';
import { comparable, type Json, variablesOf, type Workload, workloads } from './workloads.ts';

/** Reads first: what is written changes the pages that are read. */
const workloadsOfAll = 'W5,W2,W6,W3,W4,W7,W1';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    workloads: { type: 'string' },
    growth: { type: 'boolean', default: false },
  },
});

/** A million accounts take longer to make than a quick look may. */
const allWorkloads = options.quick ? workloadsOfAll : `${workloadsOfAll},W8`;
const chosen = (options.workloads ?? allWorkloads).split(',') as Workload[];

const accounts = 10_000;
/** Of the one workload whose database all services share, for they only read it. */
const manyAccounts = 1_000_000;
const sizeFor = (workload: Workload) => (workload === 'W8' ? manyAccounts : accounts);
const connections = 32;
const rounds = options.quick ? 3 : 5;
const seconds = options.quick ? 0.6 : 2;
const warmUpSeconds = options.quick ? 0.6 : 5;

const databaseOf = ({ name }: Contestant) => `bench_${name}`;

/** A database with the data, copied for each service; answers with the token of its one tenant. */
async function makeDatabases(database: BenchDatabase, all: Contestant[]): Promise<string> {
  const token = await makeDatabase(database, 'loaded', accounts);
  for (const one of all) {
    await database.admin.unsafe(`create database ${databaseOf(one)} template loaded`);
  }
  const graphile = all.find(({ name }) => name === 'postgraphile');
  if (graphile !== undefined) await prepareForGraphile(database.urlOf(databaseOf(graphile)));
  return token;
}

async function prepareForGraphile(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  await sql.unsafe(await readFile(join(import.meta.dirname, 'peers', 'postgraphile.sql'), 'utf8'));
  await sql.end();
}

/** Asks every service the same and compares the answers with the first one's. */
async function checkAnswers(running: Running[], workload: Workload): Promise<void> {
  const [variables] = JSON.parse(
    JSON.stringify(variablesOf(workload, sizeFor(workload))).replaceAll('$NEW', 'checked'),
  );
  const answers: Json[] = [];
  for (const one of running) answers.push(comparable(await ask(one, workload, variables)));
  for (const [index, answer] of answers.entries()) {
    if (isDeepStrictEqual(answer, answers[0])) continue;
    const [a, b] = [answers[0], answer].map((one) => JSON.stringify(one).slice(0, 600));
    throw new Error(`${workload}: ${running[index]?.title} answers otherwise:\n${b}\nnot\n${a}`);
  }
}

/** How many statements PostgreSQL has counted in a service's database. */
async function statementsIn({ admin }: BenchDatabase, one: Running): Promise<number> {
  const [row] = await admin<{ calls: string }[]>`
    select coalesce(sum(calls), 0) as calls from pg_stat_statements(false) s
    join pg_database d on d.oid = s.dbid where d.datname = ${one.database} and toplevel`;
  return Number(row?.calls);
}

const loader = startLoader();
let runs = 0;

/** One run of a workload against a service. */
async function measure(database: BenchDatabase, one: Running, workload: Workload, lasting: number) {
  runs += 1;
  const bodies = variablesOf(workload, sizeFor(workload)).map((variables) =>
    JSON.stringify(one.dialect.ask(workload, variables)),
  );
  const usage = async () => ({
    service: await cpuUs(one.pid),
    database: await cpuUs(database.pid),
    statements: await statementsIn(database, one),
  });
  const before = await usage();
  const job = { url: one.url + one.path(workload), headers: one.headers, bodies, connections };
  const done = await loader.load({ ...job, prefix: `r${runs}`, seconds: lasting });
  const after = await usage();
  const per = (key: keyof typeof after) => (after[key] - before[key]) / done.requests;
  return {
    perSecond: done.requests / done.seconds,
    p50: done.p50,
    p99: done.p99,
    serviceUs: per('service'),
    databaseUs: per('database'),
    statements: per('statements'),
  };
}

type Measured = Awaited<ReturnType<typeof measure>>;

function medians(all: Measured[]): Measured {
  const of = (key: keyof Measured) => median(all.map((one) => one[key]));
  const keys = Object.keys(all[0] ?? {}) as (keyof Measured)[];
  return Object.fromEntries(keys.map((key) => [key, of(key)])) as unknown as Measured;
}

/** Every workload on every service, in turns, so that what else the machine does meets all alike. */
async function compete(
  database: BenchDatabase,
  running: Running[],
  workloadsToRun: Workload[],
): Promise<Result[]> {
  const results: Result[] = [];
  for (const workload of workloadsToRun) {
    await checkAnswers(running, workload);
    for (const one of running) await measure(database, one, workload, warmUpSeconds);
    const measured = new Map(running.map((one) => [one, [] as Measured[]]));
    for (let round = 0; round < rounds; round += 1) {
      for (const [one, all] of measured) all.push(await measure(database, one, workload, seconds));
    }
    for (const [one, all] of measured) results.push({ workload, name: one.name, ...medians(all) });
    console.error(`${workload} is done: ${workloads[workload]}`);
  }
  return results;
}

interface Competed {
  results: Result[];
  services: { name: string; title: string; startMs: number; peakMb: number }[];
}

/** Starts services, each on its ground, has them compete, and stops them. */
async function competeOn(
  database: BenchDatabase,
  grounds: Map<Contestant, Ground>,
  workloadsToRun: Workload[],
): Promise<Competed> {
  const running: Running[] = [];
  try {
    for (const [one, ground] of grounds) running.push(await start(one, ground));
    const results = await compete(database, running, workloadsToRun);
    const services = await Promise.all(
      running.map(async ({ name, title, startMs, pid }) => {
        return { name, title, startMs, peakMb: await memoryMb(pid, 'VmHWM') };
      }),
    );
    return { results, services };
  } finally {
    for (const one of running) await one.stop();
  }
}

/** The searches at a million accounts, in a database that all services share. */
async function competeAtAMillion(database: BenchDatabase, all: Contestant[]): Promise<Result[]> {
  const name = 'bench_million';
  const token = await makeDatabase(database, name, manyAccounts);
  const url = database.urlOf(name);
  await prepareForGraphile(url);
  const grounds = new Map(all.map((one) => [one, { database: name, url, token }]));
  return (await competeOn(database, grounds, ['W8'])).results;
}

/** This service against its peers. */
async function measureAll(database: BenchDatabase, all: Contestant[]): Promise<void> {
  const token = await makeDatabases(database, all);
  const grounds = new Map(
    all.map((one) => [one, { database: databaseOf(one), url: database.urlOf(databaseOf(one)), token }]),
  );
  const small = chosen.filter((workload) => workload !== 'W8');
  const { results, services } = await competeOn(database, grounds, small);
  if (chosen.includes('W8')) results.push(...(await competeAtAMillion(database, all)));
  const machine = `${cpus().length} cores of ${cpus()[0]?.model.trim()}, Node.js ${process.versions.node}`;
  const how = `${connections} connections, medians of ${rounds} runs of ${seconds} s in turns, equal answers.`;
  const measured = { results, services, machine, how };
  print(measured);
  const isWhole = !options.quick && options.only === undefined && options.workloads === undefined;
  if (isWhole) await publish(measured);
}

async function main(): Promise<void> {
  const only = options.only?.split(',');
  const all = (await contestants()).filter(({ name }) => only === undefined || only.includes(name));
  const directory = await mkdtemp(join(tmpdir(), 'accountgraph-bench-'));
  let database: BenchDatabase | undefined;
  try {
    database = await startDatabase(directory);
    const [own] = all;
    if (options.growth && own !== undefined) console.log(await measureGrowth(database, loader, own));
    else await measureAll(database, all);
  } finally {
    loader.stop();
    await database?.stop();
    await rm(directory, { recursive: true, force: true, maxRetries: 10 });
  }
}

await main();
