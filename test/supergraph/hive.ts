import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/ports.ts';
import type { Listening } from './listen.ts';
import { launch } from './processes.ts';

const cwd = import.meta.dirname;

export interface HiveOptions {
  supergraph: string;
  /** `0` for any free port. */
  port?: number;
  /** The URL of the span collector, if any. */
  collector?: string;
}

/** Starts Hive Gateway by its command line with the configuration of docs/federation.md. */
export async function startHive({ supergraph, port, collector }: HiveOptions): Promise<Listening> {
  const directory = await mkdtemp(join(tmpdir(), 'accountgraph-gateway-'));
  await writeFile(join(directory, 'supergraph.graphql'), supergraph);
  const chosen = port || (await freePort());
  const program = await launch(
    {
      command: join(cwd, 'node_modules', '.bin', 'hive-gateway'),
      args: [
        ...['supergraph', '--config-path', join(cwd, 'gateway.config.ts')],
        ...['--host', '127.0.0.1', '--port', String(chosen)],
        ...(collector === undefined ? [] : ['--opentelemetry', `${collector}/v1/traces`]),
      ],
      cwd: directory,
    },
    () =>
      fetch(`http://127.0.0.1:${chosen}/readiness`).then(
        ({ ok }) => ok,
        () => false,
      ),
  );
  return {
    url: `http://127.0.0.1:${chosen}/graphql`,
    async close() {
      await program.stop();
      await rm(directory, { recursive: true });
    },
  };
}
