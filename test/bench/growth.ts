import { accountId } from './data.ts';
import { type BenchDatabase, makeDatabase } from './database.ts';
import { cpuUs, type Loader, memoryMb } from './measure.ts';
import { type Contestant, type Running, start } from './services.ts';
import { own, variablesOf, type Workload } from './workloads.ts';

const sizes = [10_000, 100_000, 1_000_000];
const crowds = [32, 256, 1024];
const seconds = 3;
/** Longer, for the time in which a thousand connections are made counts, too. */
const secondsOfCrowds = 16;

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
    try {
      for (const job of jobsOf(size)) {
        rows.push(
          row(`${size} accounts`, await measure(running, database, loader, { ...job, connections: 32 })),
        );
      }
      if (size !== sizes[0]) continue;
      const [job = { what: '', bodies: [accountId(0)] }] = jobsOf(size);
      for (const connections of crowds) {
        rows.push(
          row(
            `${connections} connections`,
            await measure(running, database, loader, { ...job, connections, seconds: secondsOfCrowds }),
          ),
        );
      }
    } finally {
      await running.stop();
    }
    console.error(`${size} accounts are done.`);
  }
  const head = ['', 'workload', 'requests/s', 'p50 ms', 'CPU µs', 'memory MB'];
  return [`| ${head.join(' | ')} |`, '| --- | --- | ---: | ---: | ---: | ---: |', ...rows].join('\n');
}
