import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildCommit } from './against.ts';
import { accounts, type Bench, manyAccounts, type Part, type Row, templates } from './bench.ts';
import { type BenchDatabase, startDatabase } from './database.ts';
import { startLoader } from './measure.ts';
import { type Options, readOptions } from './options.ts';
import { coldPart } from './parts/cold.ts';
import { documentsPart } from './parts/documents.ts';
import { growthPart } from './parts/growth.ts';
import { mixedPart } from './parts/mixed.ts';
import { neighbourPart } from './parts/neighbour.ts';
import { restPart } from './parts/rest.ts';
import { searchPart } from './parts/search.ts';
import { subscribersPart } from './parts/subscribers.ts';
import { tenantsPart } from './parts/tenants.ts';
import { workloadsPart } from './parts/workloads.ts';
import { commandOf, describeMachine, publish } from './report.ts';
import { ownService, peerServices, results, root } from './services.ts';

const smallParts = [
  ...[workloadsPart, tenantsPart, documentsPart, mixedPart, restPart],
  ...[coldPart, neighbourPart, subscribersPart],
];
/** Loading a million accounts takes longer than a quick run may. */
const parts = [...smallParts, searchPart];
const allParts = [...parts, growthPart];

function chosenParts({ only, isQuick }: Options): Part[] {
  if (only === undefined) return isQuick ? smallParts : parts;
  return only.map((name) => {
    const part = allParts.find((one) => one.name === name);
    if (part !== undefined) return part;
    throw new Error(
      `There is no part ${JSON.stringify(name)}. The parts are ${allParts.map((one) => one.name).join(', ')}.`,
    );
  });
}

function openBench(database: BenchDatabase, options: Options, services: Bench['services']): Bench {
  const template = templates(database);
  return {
    ...{ database, services, template, timing: options.timing, connections: options.connections },
    ...{ isAgainst: options.against !== undefined, isQuick: options.isQuick },
    loader: startLoader(),
    secondLoader: startLoader(),
    small: () => template('small', { tenants: 8, accounts }),
    million: () => template(`growth_${manyAccounts}`, { tenants: 1, accounts: manyAccounts, small: 1000 }),
  };
}

/** Runs the parts. One that fails does not keep the others from running. */
async function runParts(bench: Bench, chosen: Part[], options: Options): Promise<void> {
  const { timing } = options;
  const date = new Date().toISOString();
  const circumstances = {
    date,
    machine: describeMachine(),
    command: commandOf(process.argv.slice(2)),
    timing,
  };
  const file = options.json ?? join(results, `${date.replaceAll(':', '-')}.json`);
  await mkdir(dirname(file), { recursive: true });
  const rows: Row[] = [];
  for (const part of chosen) {
    console.error(`${part.title} …`);
    try {
      const result = await part.run(bench);
      console.log(`\n## ${part.title}\n\n${result.markdown}`);
      rows.push(...result.rows);
      await writeFile(file, `${JSON.stringify({ ...circumstances, rows }, null, 1)}\n`);
      if (options.isPublished) await publish(part, result, circumstances);
    } catch (error) {
      console.error(error);
      process.exitCode = 1;
    }
  }
  console.error(`The results are in ${file}.`);
}

async function main(): Promise<void> {
  const begun = performance.now();
  const options = readOptions(process.argv.slice(2));
  const chosen = chosenParts(options);
  const directory = await mkdtemp(join(tmpdir(), 'accountgraph-bench-'));
  const end: (() => unknown)[] = [() => rm(directory, { recursive: true, force: true, maxRetries: 10 })];
  try {
    const own = await ownService(root, 'accountgraph', 'this service');
    const other = options.against === undefined ? undefined : await buildCommit(options.against, directory);
    if (other !== undefined) end.unshift(other.remove);
    const database = await startDatabase(directory);
    end.unshift(() => database.stop());
    const others = other ? [other.service] : peerServices(options.isQuick);
    const bench = openBench(database, options, [own, ...others]);
    end.unshift(() => bench.loader.stop() && bench.secondLoader.stop());
    await runParts(bench, chosen, options);
  } finally {
    for (const step of end) await step();
  }
  console.error(`The run took ${((performance.now() - begun) / 60_000).toFixed(1)} minutes.`);
}

await main();
