import { createPublicKey, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { beforeAll, describe, expect, it } from 'vitest';
import { environment } from '../../src/config/environment.ts';
import { defaultSchedule } from '../../src/delivery/schedule.ts';
import { maxSubscriptions, maxSubscriptionsPerKey, maxWaitingChanges } from '../../src/feed/rules.ts';
import { maxPageSize } from '../../src/lib/page.ts';
import { maxEndpoints, maxRedelivered, rotationHours } from '../../src/webhook/rules.ts';
import { ask, type Running, usePrograms } from '../cli/program.ts';
import { until } from '../db/processes.ts';
import { accepts, freePort } from '../support/ports.ts';

const programs = usePrograms();
let page = '';
let service: Running;
let env: Record<string, string>;
beforeAll(async () => {
  page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'changes.md'), 'utf8');
  env = { DATA_DIR: programs.path('data'), WEBHOOK_PRIVATE_TARGETS: 'true' };
  service = await programs.serve(env);
}, 120_000);

/** Returns the code block of a language with a name. */
function block(language: string, name = ''): string {
  const found = new RegExp(`^\`\`\`${language}${name && ` ${name}`}\\n(.*?)^\`\`\`$`, 'ms').exec(page);
  return found?.[1] ?? '';
}

/** Runs a JavaScript block of the page with Node.js against the service of this test. */
function run(name: string, more: Record<string, string> = {}) {
  const code = block('js', name)
    .replace('http://127.0.0.1:4000/graphql', service.url)
    .replace('ws://127.0.0.1:4000/graphql', service.url.replace('http', 'ws'));
  expect(code).not.toBe('');
  const given = { TOKEN: service.token ?? '', ...more };
  const program = programs.open(['--input-type=module', '--eval', code], given, [process.execPath]);
  const printed = (count: number) =>
    until(async () => {
      if (program.child.exitCode !== null) throw new Error((await program.ended).stderr);
      const lines = program.output.stdout.split('\n').slice(0, -1);
      return lines.length >= count && lines;
    });
  return { ...program, printed, stop: () => program.child.kill() };
}

async function send(document: string, variables: object = {}) {
  const { body } = await ask(service.url, service.token, document, variables);
  expect(body.errors).toBeUndefined();
  expect(JSON.stringify(body.data)).not.toContain('Error"');
  return body.data;
}

function write(name: string, type: string, input: object) {
  return send(`mutation($input: ${type}!) { ${name}(input: $input) { __typename } }`, { input });
}

const createAccount = (id: string) =>
  write('createAccount', 'CreateAccountInput', { id, name: 'Account', customerId: 'C1234qwd' });
const rename = (id: string, name: string) => write('updateAccount', 'UpdateAccountInput', { id, name });

async function latestPosition(): Promise<string> {
  return (await send(block('graphql'))).changes.latestPosition;
}

describe('the guide to changes', { timeout: 60_000 }, () => {
  it('has a puller that reads the feed from its beginning', async () => {
    const puller = run('puller');
    expect((await puller.printed(1))[0]).toBe('CUSTOMER_CREATED C1234qwd 1');
    puller.stop();
  });

  it('has a puller that continues after a position with earlier and later changes', async () => {
    const position = await latestPosition();
    await createAccount('PULLED');
    for (let round = 0; round < 120; round += 1) await rename('PULLED', `Round ${round}`);
    const puller = run('puller', { POSITION: position });
    await puller.printed(121);
    await rename('PULLED', 'Later');
    const updates = Array.from({ length: 121 }, (_, index) => `ACCOUNT_UPDATED PULLED ${index + 2}`);
    expect(await puller.printed(122)).toEqual(['ACCOUNT_CREATED PULLED 1', ...updates]);
    puller.stop();
  });

  it('has a subscriber that continues after a restart of the service', async () => {
    const position = await latestPosition();
    await createAccount('SUBSCRIBED');
    const subscriber = run('subscriber', { POSITION: position });
    await subscriber.printed(1);
    await rename('SUBSCRIBED', 'Live');
    await subscriber.printed(2);
    await service.stop('SIGTERM');
    service = await programs.serve({ ...env, PORT: new URL(service.url).port });
    await rename('SUBSCRIBED', 'After the restart');
    expect(await subscriber.printed(3)).toEqual([
      'ACCOUNT_CREATED SUBSCRIBED 1',
      'ACCOUNT_UPDATED SUBSCRIBED 2',
      'ACCOUNT_UPDATED SUBSCRIBED 3',
    ]);
    subscriber.stop();
  });

  it('has a subscriber over WebSocket that continues after a position', async () => {
    const position = await latestPosition();
    await createAccount('CONNECTED');
    const subscriber = run('websocket', { POSITION: position });
    await subscriber.printed(1);
    await rename('CONNECTED', 'Live');
    expect(await subscriber.printed(2)).toEqual([
      'ACCOUNT_CREATED CONNECTED 1',
      'ACCOUNT_UPDATED CONNECTED 2',
    ]);
    subscriber.stop();
  });

  it.each(['puller', 'subscriber'])('has a %s that ends if the service refuses it', async (name) => {
    const { code, stderr } = await run(name, { TOKEN: 'agk_wrong' }).ended;
    expect(code).toBe(1);
    expect(stderr).toContain('Missing or invalid token.');
    const refused = await run(name, { POSITION: 'AAAAAAADiMp9Iqi__rk' }).ended;
    expect(refused.stderr).toContain('after is not a position in the feed of your tenant.');
  });

  it('has a receiver that verifies webhooks, and ignores repeated ones', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/webhooks`;
    await createAccount('RECEIVED');
    const after = await latestPosition();
    const { createWebhookEndpoint } = await send(createEndpoint(), { input: { url, after } });
    const { secret, webhookEndpoint } = createWebhookEndpoint;
    expect(webhookEndpoint.position).toBe(after);
    const receiver = run('receiver', { WEBHOOK_SECRET: secret, PORT: String(port) });
    await until(() => accepts(port));
    for (const name of ['One', 'Two']) await rename('RECEIVED', name);
    await receiver.printed(2);
    const { nodeId } = webhookEndpoint;
    const positions = await send(
      'query($after: Position) { changes(after: $after) { nodes { position } } }',
      { after },
    );
    const [from, to] = positions.changes.nodes.map(({ position }: { position: string }) => position);
    await write('redeliver', 'RedeliverInput', { nodeId, from, to });
    const test = await send(
      'mutation($input: TestWebhookEndpointInput!) { testWebhookEndpoint(input: $input) { ... on TestWebhookEndpointSuccess { attempt { status } } } }',
      { input: { nodeId } },
    );
    expect(test.testWebhookEndpoint.attempt.status).toBe(204);
    await until(async () => (await statusesOf(nodeId)).length === 5);
    expect(await statusesOf(nodeId)).toEqual([204, 204, 204, 204, 204]);
    await rename('RECEIVED', 'Three');
    expect(await receiver.printed(3)).toEqual(
      [2, 3, 4].map((version) => `account.updated account RECEIVED ${version}`),
    );
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401);
    receiver.stop();
  });

  it('shows a request with the signatures of its secret and of its public key', () => {
    const [head = '', body = ''] = block('http').split('\n\n');
    const headers = Object.fromEntries(head.split('\n').map((line) => line.split(': ')));
    const id = headers['webhook-id'] ?? '';
    const seconds = headers['webhook-timestamp'] ?? '';
    const [v1, v1a = ''] = (headers['webhook-signature'] ?? '').split(' ');
    const secret = /whsec_[\w+/=]+/.exec(page)?.[0] ?? '';
    expect(new Webhook(secret).sign(id, new Date(Number(seconds) * 1000), body.trimEnd())).toBe(v1);
    const x = Buffer.from(/whpk_([\w+/=]+)/.exec(page)?.[1] ?? '', 'base64').toString('base64url');
    const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
    const content = Buffer.from(`${id}.${seconds}.${body.trimEnd()}`);
    expect(verify(null, content, key, Buffer.from(v1a.slice('v1a,'.length), 'base64'))).toBe(true);
    expect(JSON.parse(body).data.id).toBe(id);
  });

  it('states the limits of the code', () => {
    const count = (value: number) => value.toLocaleString('en');
    for (const row of [
      `| Changes in a page | ${maxPageSize} |`,
      `| Subscriptions | ${maxSubscriptionsPerKey} of a key, ${count(maxSubscriptions)} of a replica |`,
      `| Changes that wait for a slow subscriber | ${count(maxWaitingChanges)} |`,
      `| Webhook endpoints | ${maxEndpoints} of a tenant |`,
      `at most ${count(maxRedelivered)}`,
      `For ${rotationHours} hours`,
    ])
      expect(page).toContain(row);
    expect(environment.parse({}).WEBHOOK_RETRY_DELAYS).toEqual(defaultSchedule);
    const [, delays = ''] = /is tried again after (.*?), each ±10 %/.exec(page) ?? [];
    const written = delays
      .replaceAll(' min', 'm')
      .replaceAll(/ ([sh])\b/g, '$1')
      .replaceAll(' and ', ', ');
    expect(environment.parse({ WEBHOOK_RETRY_DELAYS: written }).WEBHOOK_RETRY_DELAYS).toEqual(
      defaultSchedule,
    );
  });
});

/** Returns the mutation of the page that creates an endpoint. */
function createEndpoint(): string {
  return /^```graphql\n(mutation .*?)^```$/ms.exec(page)?.[1] ?? '';
}

/** Returns the statuses of all attempts to an endpoint. */
async function statusesOf(nodeId: string): Promise<number[]> {
  const document =
    'query($nodeId: ID!) { webhookEndpoint(nodeId: $nodeId) { attempts { nodes { status } } } }';
  const { webhookEndpoint } = await send(document, { nodeId });
  return webhookEndpoint.attempts.nodes.map(({ status }: { status: number }) => status);
}
