import { createPublicKey, createSecretKey, randomBytes, verify } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { pino } from 'pino';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { tenantWithAccounts } from '../support/fixtures.ts';
import { type App, clientThrough, type Json, openApp, useService } from '../support/service.ts';
import { type Received, useReceiver } from '../support/webhook-receiver.ts';
import {
  createEndpoint,
  findEndpoint,
  newPath,
  rename,
  settled,
  storedEndpointFields,
  tryWebhooks,
  versionsOf,
} from '../support/webhooks.ts';

/** The server of the tests delivers nothing. Each test opens the replicas that do. */
const service = useService({ webhooks: { keys: [], schedule: [], allowPrivateTargets: true } });
const receiver = useReceiver();
const newKey = () => createSecretKey(randomBytes(32));

const apps = new Set<App>();
afterEach(async () => {
  await Promise.all([...apps].map((app) => app.close()));
  apps.clear();
});

/** Opens a replica with these keys. Returns it and the lines of its log. */
function openReplica(keys = [newKey()]): { replica: App; lines: string[] } {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const replica = openApp(service.connection, {
    webhooks: { keys, schedule: [10, 20], allowPrivateTargets: true },
    log,
  });
  apps.add(replica);
  return { replica, lines };
}
async function closeReplica(replica: App): Promise<void> {
  apps.delete(replica);
  await replica.close();
}

/** Returns the forms in which a secret could be stored: its text, and its bytes as PostgreSQL shows them. */
function formsOf(secret: string): string[] {
  const encoded = secret.replace(/^whs(ec|k)_/, '');
  const bytes = Buffer.from(encoded, 'base64');
  const texts = [secret, encoded, bytes.toString('base64url'), bytes.toString('hex')];
  return [...texts, Buffer.from(encoded).toString('hex')];
}

/** Returns the columns of all tables in which a text occurs. */
async function columnsWith(texts: string[]): Promise<string[]> {
  const { orm } = service.database;
  const columns = await orm.execute<{ table_name: string; column_name: string }>(sql`
    select table_name, column_name from information_schema.columns
    join information_schema.tables using (table_schema, table_name)
    where table_schema = 'public' and table_type = 'BASE TABLE'`);
  const found: string[] = [];
  for (const { table_name: table, column_name: column } of columns) {
    const [row] = await orm.execute<{ found: boolean }>(sql`select exists (
      select from ${sql.identifier(table)} as stored, json_array_elements_text(${JSON.stringify(texts)}) as text (value)
      where position(text.value in stored.${sql.identifier(column)}::text) > 0) as found`);
    if (row?.found === true) found.push(`${table}.${column}`);
  }
  return found;
}

const signaturesOf = ({ headers }: Received, version: string): string[] =>
  (headers['webhook-signature'] ?? '').split(' ').flatMap((one) => {
    const [name, signature] = one.split(',');
    return name === version ? [signature ?? ''] : [];
  });

/** Returns whether a `v1a` signature of a request verifies with a public key (`whpk_…`). */
function isSignedFor(request: Received, publicKey: string): boolean {
  const x = Buffer.from(publicKey.replace('whpk_', ''), 'base64').toString('base64url');
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
  const { 'webhook-id': id, 'webhook-timestamp': timestamp } = request.headers;
  const content = Buffer.from(`${id}.${timestamp}.${request.text}`);
  return signaturesOf(request, 'v1a').some((one) => verify(null, content, key, Buffer.from(one, 'base64')));
}
const verifies = ({ text, headers }: Received, secret: string): boolean => {
  try {
    new Webhook(secret).verify(text, headers);
    return true;
  } catch {
    return false;
  }
};

const fields = `${storedEndpointFields} attempts { nodes { error response } } history { nodes { before after } }`;

describe('a secret', () => {
  it('occurs in no table, log line or later response', async () => {
    const { replica, lines } = openReplica();
    const client = clientThrough(replica, await tenantWithAccounts(service));
    const path = newPath();
    const created = await createEndpoint(client, { url: receiver.url(path), idempotencyKey: 'create' });
    const { nodeId } = created;
    const rotate = { nodeId, idempotencyKey: 'rotate' };
    const rotated = await tryWebhooks(client, 'rotateWebhookSecret', rotate, 'secret');
    const test = { nodeId, idempotencyKey: 'test' };
    expect(await tryWebhooks(client, 'testWebhookEndpoint', test)).toMatchObject({ replayed: false });
    await rename(client, 'A1', 'Renamed');
    await settled(client, created);
    receiver.reply(path, () => ({ status: 500 }));
    await rename(client, 'A1', 'Failed');
    await settled(client, created);
    const texts = [created.secret, rotated.secret].flatMap(formsOf);
    expect(texts.every((text) => text.length > 40)).toBe(true);
    expect(await columnsWith(texts)).toEqual([]);
    // The search finds what is stored.
    expect(await columnsWith([receiver.url(path)])).toContain('webhook_endpoints.url');
    const shown = JSON.stringify(await findEndpoint(client, nodeId, fields));
    await closeReplica(replica);
    for (const text of texts) expect(lines.join('') + shown).not.toContain(text);
  });

  it('is another one for each endpoint', async () => {
    const { replica } = openReplica();
    const client = clientThrough(replica, await service.newTenant());
    const url = receiver.url(newPath());
    const made = [
      await createEndpoint(client, { url }, 'publicKey'),
      await createEndpoint(client, { url }, 'publicKey'),
    ];
    expect(new Set(made.map(({ secret }) => secret)).size).toBe(2);
    expect(new Set(made.map(({ publicKey }) => publicKey)).size).toBe(2);
  });
});

describe('rotateWebhookSecret', () => {
  it('makes both secrets sign until the previous one expires', async () => {
    const { replica } = openReplica();
    const client = clientThrough(replica, await tenantWithAccounts(service));
    const path = newPath();
    const created = await createEndpoint(client, { url: receiver.url(path) }, 'nodeId publicKey');
    const { nodeId } = created;
    const rotate = (): Promise<Json> =>
      tryWebhooks(client, 'rotateWebhookSecret', { nodeId }, 'secret webhookEndpoint { publicKey version }');
    const send = async (name: string) => {
      await rename(client, 'A1', name);
      await settled(client, created);
      return receiver.received(path).at(-1) as Received;
    };
    const expectSigners = (request: Received, secrets: string[], keys: string[], others: string[]) => {
      for (const one of ['v1', 'v1a']) expect(signaturesOf(request, one)).toHaveLength(secrets.length);
      for (const secret of secrets) expect(verifies(request, secret)).toBe(true);
      for (const key of keys) expect(isSignedFor(request, key)).toBe(true);
      for (const secret of others) expect(verifies(request, secret)).toBe(false);
    };
    expectSigners(await send('One'), [created.secret], [created.publicKey], []);
    const first = await rotate();
    const { publicKey, version } = first.webhookEndpoint;
    expect(version).toBe(2);
    expectSigners(await send('Two'), [first.secret, created.secret], [publicKey, created.publicKey], []);
    await service.database.orm.execute(
      sql`update webhook_endpoints set previous_secret_expires_at = now() where tenant_id = ${client.tenantId}`,
    );
    expectSigners(await send('Three'), [first.secret], [publicKey], [created.secret]);
    const second = await rotate();
    const newest = second.webhookEndpoint.publicKey;
    expectSigners(await send('Four'), [second.secret, first.secret], [newest, publicKey], [created.secret]);
    await rotate();
    // A third secret replaces the oldest one at once.
    expect(signaturesOf(await send('Five'), 'v1')).toHaveLength(2);
    expect(verifies(receiver.received(path).at(-1) as Received, first.secret)).toBe(false);
  });
});

describe('a replica', () => {
  it('continues where the previous one stopped', async () => {
    const key = newKey();
    const { replica } = openReplica([key]);
    const tenant = await tenantWithAccounts(service);
    const path = newPath();
    const created = await createEndpoint(clientThrough(replica, tenant), { url: receiver.url(path) });
    await rename(tenant, 'A1', 'Before');
    await settled(tenant, created);
    await closeReplica(replica);
    for (const name of ['Between', 'Again']) await rename(tenant, 'A1', name);
    openReplica([key]);
    await rename(tenant, 'A2', 'After');
    await settled(tenant, created);
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 3, 4]);
    expect(versionsOf(receiver.received(path), 'A2')).toEqual([2]);
  });

  it('opens secrets of any of its keys, and loses nothing while it lacks the key', async () => {
    const [a, b] = [newKey(), newKey()];
    const tenant = await tenantWithAccounts(service);
    const path = newPath();
    const first = openReplica([a]);
    const created = await createEndpoint(clientThrough(first.replica, tenant), { url: receiver.url(path) });
    await closeReplica(first.replica);

    const both = openReplica([b, a]);
    await rename(tenant, 'A1', 'With both');
    await settled(tenant, created);
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2]);
    await closeReplica(both.replica);

    const without = openReplica([b]);
    for (const name of ['One', 'Two']) await rename(tenant, 'A1', name);
    const other = await createEndpoint(clientThrough(without.replica, tenant), {
      url: receiver.url(newPath()),
    });
    await vi.waitFor(() => {
      expect(without.lines.join('')).toContain('No configured key opens the sealed secret.');
    }, 20_000);
    await rename(tenant, 'A2', 'Of the other');
    await settled(tenant, other);
    const { backlog, status } = await findEndpoint(tenant, created.nodeId);
    expect({ status, blocked: backlog.blocked }).toEqual({ status: 'ENABLED', blocked: 0 });
    await closeReplica(without.replica);

    openReplica([b, a]);
    // Lanes that failed wait for ten seconds.
    await service.database.orm.execute(sql`update webhook_lanes set next_attempt_at = now()`);
    await settled(tenant, created);
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 3, 4]);
    expect(versionsOf(receiver.received(path), 'A2')).toEqual([2]);
  });
});
