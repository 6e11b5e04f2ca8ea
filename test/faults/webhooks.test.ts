import { sql } from 'drizzle-orm';
import { afterAll, expect, it } from 'vitest';
import { openDatabase } from '../../src/db/client.ts';
import { usePostgres } from '../cli/postgres.ts';
import { type Running, usePrograms } from '../cli/program.ts';
import { memoryOf, until } from '../db/processes.ts';
import { templateName } from '../support/global-setup.ts';
import type { Json } from '../support/service.ts';
import { useReceiver } from '../support/webhook-receiver.ts';
import { openTenant, scale } from '../support/writers.ts';

const programs = usePrograms();
const server = usePostgres();
const receiver = useReceiver();
const { changes, accounts, endpoints } = scale(
  { changes: 400, accounts: 20, endpoints: 6 },
  { changes: 10_000, accounts: 100, endpoints: 20 },
);
/** The endpoints that fail half of their requests. */
const failing = Math.ceil(endpoints / 4);

const opened: Running[] = [];
afterAll(async () => {
  for (const one of opened) await one.stop('SIGKILL');
});

async function serve(url: string): Promise<Running> {
  const running = await programs.serve({
    NODE_ENV: 'production',
    PORT: '0',
    DATABASE_URL: url,
    WEBHOOK_KEYS: 'k'.repeat(32),
    WEBHOOK_PRIVATE_TARGETS: 'true',
    WEBHOOK_RETRY_DELAYS: Array(40).fill('1s').join(),
    RATE_LIMIT: '0',
  });
  opened.push(running);
  return running;
}

async function send({ url }: Running, token: string, query: string, variables: object): Promise<Json> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = (await response.json()) as Json;
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

const createEndpoint = `mutation($url: String!) { createWebhookEndpoint(input: { url: $url }) {
  ... on CreateWebhookEndpointSuccess { webhookEndpoint { nodeId } } ... on Error { message } } }`;
const createCustomer = `mutation($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename } }`;
const createAccounts = `mutation($inputs: [CreateAccountInput!]!) { createAccounts(inputs: $inputs) { __typename } }`;
const rename = `mutation($input: UpdateAccountInput!) { updateAccount(input: $input) { __typename } }`;

/** Renames accounts until each has its share of the changes. */
async function write(replica: Running, token: string): Promise<void> {
  await Promise.all(
    Array.from({ length: accounts }, async (_, index) => {
      for (let round = 0; round < changes / accounts; round += 1) {
        const input = { id: `A${index}`, name: `Round ${round}` };
        const { updateAccount } = await send(replica, token, rename, { input });
        expect(updateAccount.__typename).toBe('UpdateAccountSuccess');
      }
    }),
  );
}

/** Returns the versions that a path received of an account, without repetitions that follow each other. */
function versionsAt(path: string, accountId: string): number[] {
  const own = receiver.received(path).filter(({ body }) => body.data.accountId === accountId);
  const versions = own.map(({ body }) => body.data.sequence as number);
  return versions.filter((version, index) => version !== versions[index - 1]);
}

it('delivers every change in order to all endpoints although some fail and a replica is killed', async () => {
  const url = await server.create(templateName);
  const replicas = await Promise.all([serve(url), serve(url)]);
  const [first, second] = replicas;
  if (first === undefined || second === undefined) throw new Error('A replica is missing.');
  const { token, tenantId, database: other } = await openTenant({ url });
  await other.close();
  const customer = { id: 'C1', name: 'Acme', primaryEmail: 'a@b.com', address: { country: 'US' } };
  await send(second, token, createCustomer, { input: customer });
  for (let at = 0; at < accounts; at += 100) {
    const inputs = Array.from({ length: Math.min(100, accounts - at) }, (_, index) => {
      return { id: `A${at + index}`, name: 'New', customerId: 'C1' };
    });
    await send(second, token, createAccounts, { inputs });
  }
  const paths = Array.from({ length: endpoints }, (_, index) => `faults-${index}`);
  for (const [index, path] of paths.entries()) {
    let count = 0;
    receiver.reply(path, () => {
      count += 1;
      return { status: index < failing && count % 2 === 0 ? 503 : 204 };
    });
    await send(second, token, createEndpoint, { url: receiver.url(path) });
  }
  const writing = write(second, token);
  const isHalfWay = async () => receiver.received(String(paths.at(-1))).length > changes / 2;
  await until(isHalfWay, 600_000);
  await first.stop('SIGKILL');
  await writing;
  const database = openDatabase({ connection: { url }, poolSize: 1 });
  const isDelivered = async () => {
    const [left] = await database.orm.execute<{ count: number }>(sql`
      select (select count(*) from webhook_lanes)::integer + (select count(*) from changes where tenant_id = ${tenantId})::integer
        - (select coalesce(max(position), 0) from feed where tenant_id = ${tenantId})::integer
        + (select count(*) from webhook_endpoints where position <
          (select max(position) from feed where tenant_id = ${tenantId}))::integer as count`);
    return left?.count === 0;
  };
  await until(isDelivered, 1_200_000);
  await database.close();
  const expected = Array.from({ length: changes / accounts }, (_, index) => index + 2);
  for (const path of paths) {
    for (let account = 0; account < accounts; account += 1) {
      const versions = versionsAt(path, `A${account}`);
      expect(new Set(versions), path).toEqual(new Set(expected));
      // What the killed replica had sent but not stored is sent again, and nothing else.
      const stepsBack = versions.filter((version, at) => at > 0 && version < Number(versions[at - 1]));
      expect(stepsBack.length, path).toBeLessThanOrEqual(1);
    }
  }
  expect(await memoryOf(second.child.pid)).toBeLessThan(600);
  expect((await second.stop('SIGTERM')).code).toBe(0);
}, 3_600_000);
