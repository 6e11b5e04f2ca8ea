import { isDeepStrictEqual } from 'node:util';
import postgres from 'postgres';
import { accounts } from './bench.ts';
import { accountId } from './data.ts';
import type { BenchDatabase } from './database.ts';
import type { Client, Request } from './measure.ts';
import { type Running, send } from './services.ts';
import { comparable, type Json, variablesOf, type Workload } from './workloads.ts';

/** The requests of a workload in the words of a service. */
export function requestsOf(service: Running, workload: Workload, size = accounts): Request[] {
  const path = service.path(workload);
  return variablesOf(workload, size).map((variables) => ({
    path,
    body: JSON.stringify(service.dialect.request(workload, variables)),
  }));
}

const marker = /\$VERSION (A-\d+)/g;

/** Replaces the ids after `$VERSION` by the current versions of these accounts. */
async function withVersions(
  database: BenchDatabase,
  service: Running,
  tenant: number,
  requests: Request[],
): Promise<Request[]> {
  const ids = requests.flatMap(({ body = '' }) => [...body.matchAll(marker)].map(([, id]) => id ?? ''));
  if (ids.length === 0) return requests;
  const sql = postgres(database.urlOf(service.database), { max: 1 });
  const rows = await sql`select id, version from accounts where tenant_id = ${tenant} and id = any(${ids})`;
  await sql.end();
  const versions = new Map(rows.map(({ id, version }) => [id, version]));
  return requests.map(({ body = '', ...request }) => ({
    ...request,
    body: body.replace(marker, (_, id) => `$VERSION ${versions.get(id)}`),
  }));
}

/** Clients of a service, one for each of its first `tenants` tenants, that send the same requests. */
export async function clientsOf(
  database: BenchDatabase,
  service: Running,
  requests: Request[],
  tenants = 1,
  first = 0,
): Promise<Client[]> {
  const headers = service.headers.slice(first, first + tenants).map((keys) => keys[0] ?? {});
  return Promise.all(
    headers.map(async (ofTenant, index) => ({
      headers: ofTenant,
      requests: await withVersions(database, service, first + index + 1, requests),
    })),
  );
}

/** @throws if the responses of two services differ. */
export function requireEqual(what: string, responses: { title: string; data: Json }[]): void {
  const [first, ...others] = responses.map(({ title, data }) => ({ title, data: comparable(data) }));
  for (const { title, data } of others) {
    if (isDeepStrictEqual(data, first?.data)) continue;
    const [a, b] = [first?.data, data].map((one) => JSON.stringify(one).slice(0, 600));
    throw new Error(`${what}: ${title} responds with\n${b}\nbut ${first?.title} with\n${a}`);
  }
}

/** The first variables of a workload. An update is checked on an account that no measured request changes. */
function checkedVariables(workload: Workload, size: number): Json {
  const [variables] = variablesOf(workload, size);
  if (workload === 'W7') variables.input.id = accountId(1);
  if (workload === 'W7 plain') variables.input.id = accountId(2);
  return variables;
}

/** Sends the first request of a workload to every service. @throws if the responses differ. */
export async function checkResponses(running: Running[], workload: Workload, size = accounts): Promise<void> {
  const text = JSON.stringify(checkedVariables(workload, size))
    .replaceAll('$NEW', `checked-${workload.replace(' ', '-')}`)
    .replaceAll(/"\$VERSION [^"]*"/g, '1');
  const variables = JSON.parse(text);
  const responses: { title: string; data: Json }[] = [];
  for (const one of running) {
    const { dialect, title } = one;
    const data = dialect.read(workload, await send(one, workload, dialect.request(workload, variables)));
    responses.push({ title, data });
  }
  requireEqual(workload, responses);
}
