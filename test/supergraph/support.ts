import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { type Database, openDatabase } from '../../src/db/client.ts';
import type { Scope } from '../../src/lib/scope.ts';
import { createKey, createTenant } from '../../src/tenant/write.ts';
import type {} from '../cli/build.ts';
import { usePostgres } from '../cli/postgres.ts';
import { usePrograms } from '../cli/program.ts';
import { templateName } from '../support/global-setup.ts';
import { statementsDuring } from '../support/statements.ts';
import { startApollo } from './apollo.ts';
import { startBilling } from './billing/server.ts';
import { compose, subgraphsAt } from './compose.ts';
import { startHive } from './hive.ts';
import type { Listening } from './listen.ts';

// biome-ignore lint/suspicious/noExplicitAny: the tests check the responses
export type Json = any;

/** Every supported gateway by name. */
export const gateways: Record<string, (supergraph: string) => Promise<Listening>> = {
  'Hive Gateway': (supergraph) => startHive({ supergraph }),
  'Apollo Gateway': startApollo,
};

export async function post(url: string, body: object, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    ...((await response.json()) as { data: Json; errors: Json; extensions: Json }),
  };
}

/** A tenant that sends requests to accounts or a gateway. */
export interface Caller {
  token: string;
  ask(url: string, query: string, variables?: object): ReturnType<typeof post>;
}

/** Runs the compiled service on the PostgreSQL of the test run, and billing, for the tests of a file. */
export function useSubgraphs(env: Record<string, string> = {}) {
  const programs = usePrograms();
  const postgres = usePostgres();
  let database: Database;
  let billing: Listening | undefined;
  const urls = { accounts: '', billing: '' };
  let supergraph = '';

  beforeAll(async () => {
    const url = await postgres.create(templateName);
    database = openDatabase({ connection: { url }, poolSize: 2 });
    const accounts = await programs.serve({ ...env, DATABASE_URL: url });
    billing = await startBilling(accounts.url);
    Object.assign(urls, { accounts: accounts.url, billing: billing.url });
    supergraph = compose(await subgraphsAt(urls));
  });
  afterAll(async () => {
    await billing?.close();
    await database.close();
  });

  async function newKey(tenantId: number, scopes?: readonly Scope[]): Promise<Caller & { tenantId: number }> {
    const { token } = await createKey(database, tenantId, 'test', scopes);
    return {
      tenantId,
      token,
      ask: (url, query, variables = {}) =>
        post(url, { query, variables }, { authorization: `Bearer ${token}` }),
    };
  }
  return {
    urls,
    supergraph: () => supergraph,
    newKey,
    newTenant: async () =>
      newKey((await createTenant(database, { name: `t-${randomUUID().slice(0, 8)}` })).id),
    /** Returns the statements that the service sends to PostgreSQL during `work`. */
    statements: (work: () => Promise<unknown>) => statementsDuring(database, work),
  };
}
