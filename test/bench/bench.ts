import type { Size } from './data.ts';
import { type BenchDatabase, makeDatabase, type Template } from './database.ts';
import type { Loader } from './measure.ts';
import { type Running, type Service, start } from './services.ts';

export const accounts = 10_000;
export const manyAccounts = 1_000_000;

export interface Timing {
  rounds: number;
  seconds: number;
  warmUpSeconds: number;
  /** Of runs at a fixed rate. */
  steadySeconds: number;
  coldSeconds: number;
}

export interface Bench {
  database: BenchDatabase;
  /** This service first; then its peers or, with `--against`, the other commit. */
  services: Service[];
  isAgainst: boolean;
  isQuick: boolean;
  connections: number[];
  timing: Timing;
  loader: Loader;
  /** Sends a second load at the same time. */
  secondLoader: Loader;
  /** 8 tenants with 10,000 accounts each. */
  small(): Promise<Template>;
  /** One tenant with a million accounts. */
  million(): Promise<Template>;
  /** Any other size. */
  template(name: string, size: Size): Promise<Template>;
}

/** One measurement of a part. */
export interface Row {
  part: string;
  /** What was measured, such as `W1`. */
  name: string;
  connections?: number;
  /** Which service, or which variant of this one. */
  column: string;
  figures: Record<string, number>;
}

export interface PartResult {
  rows: Row[];
  /** For docs/performance.md. */
  markdown: string;
}

export interface Part {
  name: string;
  title: string;
  run(bench: Bench): Promise<PartResult>;
}

/** Returns a function that makes a template on the first call and remembers it. */
export function templates(database: BenchDatabase) {
  const made = new Map<string, Promise<Template>>();
  return (name: string, size: Size) => {
    const template = made.get(name) ?? makeDatabase(database, name, size);
    made.set(name, template);
    return template;
  };
}

/** Copies a template for a service. */
async function copyTemplate({ admin }: BenchDatabase, template: Template, service: Service): Promise<string> {
  const name = `bench_${service.name.replaceAll('-', '_')}`;
  await admin.unsafe(`drop database if exists ${name} with (force)`);
  await admin.unsafe(`create database ${name} template ${template.name}`);
  return name;
}

/** Runs `work` while the services run, each on its own copy of the template. */
export async function withServices<Result>(
  { database }: Bench,
  template: Template,
  services: Service[],
  work: (running: Running[]) => Promise<Result>,
  // A million accounts are not copied: the parts that use them only read.
  isShared = false,
): Promise<Result> {
  const running: Running[] = [];
  try {
    for (const service of services) {
      const name = isShared ? template.name : await copyTemplate(database, template, service);
      running.push(await start(service, { name, url: database.urlOf(name), tokens: template.tokens }));
    }
    return await work(running);
  } finally {
    for (const one of running) await one.stop();
  }
}
