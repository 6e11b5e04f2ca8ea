import { type BenchDatabase, makeDatabase } from './database.ts';
import { cpuUs, type Loader, median, memoryMb } from './measure.ts';
import { type Contestant, type Running, start } from './services.ts';
import { own, variablesOf, type Workload } from './workloads.ts';

const sizes = [10_000, 100_000, 1_000_000];
const crowds = [32, 256, 1024];
const seconds = 3;
/** What a process runs first, for it is compiled meanwhile: for ten seconds, each is faster than the one before. */
const secondsToWarm = 10;
/** Longer, for the time in which a thousand connections are made counts, too. */
const secondsOfCrowds = 12;
/** In turns, for the machine has slow minutes. */
const roundsOfCrowds = 3;

const lastPage = {
  query: `query Accounts($last: Int!) { accounts(last: $last) { nodes { id name customer { name } aliases { value }
    settings { value } } pageInfo { startCursor } } }`,
  variables: { last: 50 },
};

interface Measured {
  what: string;
  perSecond: number;
  p50: number;
  /** Of service and database. */
  cpuUs: number;
  memoryMb: number;
}

interface GrowthJob {
  what: string;
  bodies: string[];
  connections: number;
  seconds?: number;
}

/** Loads the service with bodies and answers with what that took. */
async function measure(
  { pid, url, headers, path }: Running,
  database: BenchDatabase,
  loader: Loader,
  { what, bodies, connections, seconds: lasting = seconds }: GrowthJob,
): Promise<Measured> {
  const job = { url: url + path('W2'), headers, bodies, prefix: 'growth', connections };
  await loader.load({ ...job, seconds: 1 });
  const used = async () => (await cpuUs(pid)) + (await cpuUs(database.pid));
  const before = await used();
  const { requests, seconds: took, p50 } = await loader.load({ ...job, seconds: lasting });
  const cpu = ((await used()) - before) / requests;
  return { what, perSecond: requests / took, p50, cpuUs: cpu, memoryMb: await memoryMb(pid) };
}

/** The median of each figure. */
function medians(runs: Measured[]): Measured {
  const of = (figure: (run: Measured) => number) => median(runs.map(figure));
  return {
    what: runs[0]?.what ?? '',
    perSecond: of((run) => run.perSecond),
    p50: of((run) => run.p50),
    cpuUs: of((run) => run.cpuUs),
    memoryMb: of((run) => run.memoryMb),
  };
}

function jobsOf(size: number): { what: string; bodies: string[] }[] {
  const jobOf = (workload: Workload) => ({
    what: workload,
    bodies: variablesOf(workload, size).map((variables) => JSON.stringify(own.ask(workload, variables))),
  });
  return [
    ...(['W2', 'W3', 'W6', 'W8'] as const).map(jobOf),
    { what: 'W3, the last page', bodies: [JSON.stringify(lastPage)] },
  ];
}

function row(size: string, { what, perSecond, p50, cpuUs: cpu, memoryMb: memory }: Measured): string {
  return `| ${size} | ${what} | ${Math.round(perSecond)} | ${p50} | ${Math.round(cpu)} | ${Math.round(memory)} |`;
}

/** What each crowd gets, as medians of runs in turns. */
async function measureCrowds(measureOne: (job: GrowthJob) => Promise<Measured>, job: GrowthJob) {
  const runs: Measured[][] = crowds.map(() => []);
  for (let round = 0; round < roundsOfCrowds; round += 1) {
    for (const [place, connections] of crowds.entries()) {
      runs[place]?.push(await measureOne({ ...job, connections, seconds: secondsOfCrowds }));
    }
  }
  return runs.map(medians);
}

/** How the service does with ever more accounts, and with ever more connections. */
export async function measureGrowth(
  database: BenchDatabase,
  loader: Loader,
  contestant: Contestant,
): Promise<string> {
  const rows: string[] = [];
  for (const size of sizes) {
    const name = `growth_${size}`;
    const token = await makeDatabase(database, name, size);
    const running = await start(contestant, { database: name, url: database.urlOf(name), token });
    const measureOne = (job: GrowthJob) => measure(running, database, loader, job);
    try {
      const jobs = jobsOf(size).map((job) => ({ ...job, connections: 32 }));
      const [first] = jobs;
      if (first === undefined) continue;
      await measureOne({ ...first, seconds: secondsToWarm });
      for (const job of jobs) rows.push(row(`${size} accounts`, await measureOne(job)));
      if (size !== sizes[0]) continue;
      const found = await measureCrowds(measureOne, first);
      rows.push(...found.map((measured, place) => row(`${crowds[place]} connections`, measured)));
    } finally {
      await running.stop();
    }
    console.error(`${size} accounts are done.`);
  }
  const head = ['', 'workload', 'requests/s', 'p50 ms', 'CPU µs', 'memory MB'];
  return [`| ${head.join(' | ')} |`, '| --- | --- | ---: | ---: | ---: | ---: |', ...rows].join('\n');
}
