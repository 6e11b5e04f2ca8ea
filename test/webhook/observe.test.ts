import { createSecretKey, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, it, vi } from 'vitest';
import { createMetrics } from '../../src/observe/metrics.ts';
import { tenantWithAccounts } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { type App, clientThrough, openApp, useService } from '../support/service.ts';
import { useReceiver } from '../support/webhook-receiver.ts';

// Delivers nothing itself.
const service = useService({ webhooks: { keys: [], schedule: [], allowPrivateTargets: true } });
const receiver = useReceiver();
const webhooks = {
  keys: [createSecretKey(randomBytes(32))],
  schedule: [3_600_000],
  allowPrivateTargets: true,
};

async function health(app: Pick<App, 'fetch'>) {
  const response = await app.fetch(new Request('http://localhost/health/webhooks'));
  return { status: response.status, body: await response.json() };
}

/** Returns the samples of a scrape, by name and labels. */
async function scrape(metrics: ReturnType<typeof createMetrics>): Promise<Map<string, number>> {
  const text = await new Promise<string>((resolve) => {
    const response = { setHeader: () => response, end: resolve };
    metrics.answer({} as IncomingMessage, response as unknown as ServerResponse);
  });
  const lines = text.split('\n').filter((line) => line.startsWith('webhook_'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

it('reports whether a replica delivers webhooks, and how far behind the endpoints are', async () => {
  const metrics = createMetrics();
  const replica = openApp(service.connection, { webhooks, metrics });
  const client = clientThrough(replica, await tenantWithAccounts(service));
  expect(await health(service)).toEqual({ status: 200, body: { status: 'idle' } });
  receiver.reply('metrics', ({ body }) => ({ status: body.data.accountId === 'A1' ? 500 : 200 }));
  const create = `mutation($url: String!) { createWebhookEndpoint(input: { url: $url }) { __typename } }`;
  await client.send(create, { url: receiver.url('metrics') });
  for (const id of ['A1', 'A2']) await mutate(client, 'updateAccount', { id, name: 'Changed' });
  await vi.waitFor(async () => {
    const samples = await scrape(metrics);
    expect(samples.get('webhook_attempts_total{result="success"}')).toBe(1);
    expect(samples.get('webhook_attempts_total{result="failure"}')).toBe(1);
    expect(samples.get('webhook_lanes{state="retrying"}')).toBe(1);
    expect(samples.get('webhook_lag_seconds{state="retrying"}')).toBeGreaterThan(0);
    expect(samples.get('webhook_lanes{state="waiting"}')).toBe(0);
    expect(samples.get('webhook_lag_positions')).toBe(0);
  }, 20_000);
  const becomes = (status: number, text: string) =>
    vi.waitFor(async () => expect(await health(service)).toEqual({ status, body: { status: text } }), 20_000);
  await becomes(200, 'delivering');
  await replica.close();
  await becomes(503, 'not delivering');
});

it('runs one statement for many checks of the delivery', async () => {
  const statements = await service.statements(async () => {
    await Promise.all(Array.from({ length: 50 }, () => health(service)));
  });
  expect(statements.length).toBeLessThanOrEqual(1);
});
