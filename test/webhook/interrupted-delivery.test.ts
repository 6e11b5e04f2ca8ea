import { sql } from 'drizzle-orm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { dispatchEntries } from '../../src/delivery/lanes.ts';
import { waitingStatements } from '../support/database.ts';
import { tenantWithAccounts } from '../support/fixtures.ts';
import { type App, type Client, clientThrough, openApp, sessionKey, useService } from '../support/service.ts';
import { useReceiver } from '../support/webhook-receiver.ts';
import {
  createEndpoint,
  findEndpoint,
  newGate,
  newPath,
  rename,
  settled,
  tryWebhooks,
  versionsOf,
} from '../support/webhooks.ts';

/** The server of the tests delivers nothing. Each test opens the replicas that do. */
const service = useService({ webhooks: { keys: [], schedule: [], allowPrivateTargets: true } });
const receiver = useReceiver();
const apps = new Set<App>();
afterEach(async () => {
  await Promise.all([...apps].map((app) => app.close()));
  apps.clear();
  // Replicas are idle while no endpoint is enabled.
  await service.database.orm.execute(sql`delete from webhook_endpoints`);
});

function openReplica(schedule = [10, 20]): App {
  const app = openApp(service.connection, {
    webhooks: { keys: [sessionKey], schedule, allowPrivateTargets: true },
  });
  apps.add(app);
  return app;
}

/** Returns a client of a new tenant through a replica that delivers. */
async function clientOfReplica(schedule?: number[]): Promise<{ client: Client; replica: App }> {
  const replica = openReplica(schedule);
  return { client: clientThrough(replica, await tenantWithAccounts(service)), replica };
}

/** Holds the response to a version of A1 until `open` is called. Later responses have another status. */
function holdResponse(path: string, version: number, status = 200) {
  const gate = newGate();
  let isHeld = true;
  receiver.reply(path, async ({ body }) => {
    if (!isHeld || body.data.sequence !== version) return { status: 200 };
    await gate.opened;
    isHeld = false;
    return { status };
  });
  const arrived = () =>
    vi.waitFor(() => expect(versionsOf(receiver.received(path), 'A1').at(-1)).toBe(version), 20_000);
  return { arrived, open: gate.open };
}

/** Adds a trigger to the lanes, which runs before these updates, during `work`. */
async function withTrigger(when: string, body: string, work: () => Promise<unknown>): Promise<void> {
  const { orm } = service.database;
  await orm.execute(
    sql.raw(`create or replace function interrupt() returns trigger language plpgsql as $$ begin ${body} return new; end $$;
      create trigger interrupt before update on webhook_lanes for each row when (${when}) execute function interrupt()`),
  );
  try {
    await work();
  } finally {
    await orm.execute(sql`drop trigger if exists interrupt on webhook_lanes`);
  }
}
const dropTrigger = () => service.database.orm.execute(sql`drop trigger interrupt on webhook_lanes`);

/** Pauses claims at their first lane, and calls `work` when one is paused. Continues the claim when `work` ends. */
function withPausedClaim(begin: () => Promise<unknown>, work: () => Promise<void>): Promise<void> {
  const isClaim = 'old.claimed_by is distinct from new.claimed_by and new.claimed_by is not null';
  return withTrigger(isClaim, 'perform pg_advisory_xact_lock(4711);', async () => {
    await service.database.orm.transaction(async (tx) => {
      await tx.execute(sql`select pg_advisory_xact_lock(4711)`);
      await begin();
      await vi.waitFor(async () => expect(await waitingStatements(service)).toBe(1), 20_000);
      await work();
    });
  });
}

describe('a delivery', () => {
  it('is stored once if the database refuses its outcome at first', async () => {
    const { client } = await clientOfReplica();
    const path = newPath();
    const created = await createEndpoint(client, { url: receiver.url(path) });
    const isRelease = 'old.claimed_by is not null and new.claimed_by is null';
    await withTrigger(isRelease, "raise 'refused';", async () => {
      await rename(client, 'A1', 'One');
      const attempts = 'attempts { totalCount }';
      await vi.waitFor(async () => {
        expect((await findEndpoint(client, created.nodeId, attempts)).attempts.totalCount).toBe(1);
      }, 20_000);
      await dropTrigger();
      await settled(client, created);
      expect((await findEndpoint(client, created.nodeId, attempts)).attempts.totalCount).toBe(1);
    });
  });

  it('loses no change that is committed while its lane is being claimed', async () => {
    const { client } = await clientOfReplica();
    const path = newPath();
    const created = await createEndpoint(client, { url: receiver.url(path) });
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId: created.nodeId, status: 'DISABLED' });
    for (const id of ['A1', 'A2']) await rename(client, id, 'One');
    const enable = () =>
      tryWebhooks(client, 'updateWebhookEndpoint', { nodeId: created.nodeId, status: 'ENABLED' });
    let late = '';
    await withPausedClaim(enable, async () => {
      const [lane] = await service.database.orm.execute<{ entity_id: string }>(
        sql`select entity_id from webhook_lanes where claimed_by is null for update skip locked`,
      );
      late = lane?.entity_id ?? '';
      await rename(client, late, 'Two');
      await client.send('{ changes { latestPosition } }');
      await service.database.run(dispatchEntries, {});
    });
    await settled(client, created);
    expect(versionsOf(receiver.received(path), late)).toEqual([2, 3]);
  });

  it('sends nothing after its replica has closed', async () => {
    const { client, replica } = await clientOfReplica();
    const path = newPath();
    const created = await createEndpoint(client, { url: receiver.url(path) });
    let closing = Promise.resolve();
    await withPausedClaim(
      () => rename(client, 'A1', 'One'),
      async () => {
        apps.delete(replica);
        closing = replica.close();
      },
    );
    await closing;
    await settled(clientThrough(openReplica(), client), created);
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2]);
  });
});

describe('a delivery during which the endpoint is updated', () => {
  /** Creates an endpoint for which two changes of A1 are waiting. `enable` starts their delivery. */
  async function endpointWithBacklog(client: Client, path: string) {
    const { nodeId } = await createEndpoint(client, { url: receiver.url(path) });
    const update = (changes: object) =>
      tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, ...changes }).then((result) =>
        expect(result).toMatchObject({ replayed: false }),
      );
    await update({ status: 'DISABLED' });
    for (const name of ['One', 'Two']) await rename(client, 'A1', name);
    return { nodeId, update };
  }
  const isFree = () =>
    vi.waitFor(async () => {
      const claimed = await service.database.orm.execute(
        sql`select from webhook_lanes where claimed_by is not null`,
      );
      expect(claimed).toHaveLength(0);
    }, 20_000);

  it('stops after the running request if the endpoint is disabled', async () => {
    const { client } = await clientOfReplica();
    const path = newPath();
    const { nodeId, update } = await endpointWithBacklog(client, path);
    const held = holdResponse(path, 2);
    await update({ status: 'ENABLED' });
    await held.arrived();
    await update({ status: 'DISABLED' });
    held.open();
    await isFree();
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2]);
    await update({ status: 'ENABLED' });
    await settled(client, { nodeId });
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 3]);
  });

  it('sends the next change to the new URL', async () => {
    const { client } = await clientOfReplica();
    const paths = [newPath(), newPath()] as const;
    const { nodeId, update } = await endpointWithBacklog(client, paths[0]);
    const held = holdResponse(paths[0], 2);
    await update({ status: 'ENABLED' });
    await held.arrived();
    await update({ url: receiver.url(paths[1]) });
    held.open();
    await settled(client, { nodeId });
    const received = paths.map((path) => versionsOf(receiver.received(path), 'A1'));
    expect(received).toEqual([[2], [3]]);
  });

  it('stops after the running request if another account was answered with 429', async () => {
    const { client } = await clientOfReplica();
    const path = newPath();
    const { update } = await endpointWithBacklog(client, path);
    await rename(client, 'A2', 'One');
    const gate = newGate();
    receiver.reply(path, async ({ body }) => {
      if (body.data.accountId === 'A2') return { status: 429, headers: { 'retry-after': '3600' } };
      await gate.opened;
      return { status: 200 };
    });
    await update({ status: 'ENABLED' });
    await vi.waitFor(async () => {
      const waiting = await service.database.orm.execute(
        sql`select from webhook_endpoints where tenant_id = ${client.tenantId} and not_before > now()`,
      );
      expect(waiting).toHaveLength(1);
      expect(versionsOf(receiver.received(path), 'A1')).toEqual([2]);
    }, 20_000);
    gate.open();
    await isFree();
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2]);
  });

  it('keeps its lane while the endpoint is disabled', async () => {
    const { client } = await clientOfReplica();
    const path = newPath();
    const { nodeId, update } = await endpointWithBacklog(client, path);
    const held = holdResponse(path, 2);
    await update({ status: 'ENABLED' });
    await held.arrived();
    await update({ status: 'DISABLED' });
    const leaseEnd = async (): Promise<number> => {
      const [lease] = await service.database.orm.execute<{ ms: number }>(
        sql`select extract(epoch from expires_at)::float * 1000 as ms from webhook_leases join webhook_lanes on id = claimed_by
          where tenant_id = ${client.tenantId}`,
      );
      return lease?.ms ?? 0;
    };
    const first = await leaseEnd();
    // The poll that was running may have extended it once.
    await vi.waitFor(async () => expect((await leaseEnd()) - first).toBeGreaterThan(3000), 15_000);
    held.open();
    await update({ status: 'ENABLED' });
    await settled(client, { nodeId });
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 3]);
  });

  it.each([
    [410, {}],
    [429, { 'retry-after': '3600' }],
  ])('does not stop the new URL because the old one answers %i', async (status, headers) => {
    const { client } = await clientOfReplica();
    const paths = [newPath(), newPath()] as const;
    const created = await createEndpoint(client, { url: receiver.url(paths[0]) });
    const gate = newGate();
    receiver.reply(paths[0], async () => {
      await gate.opened;
      return { status, headers };
    });
    await rename(client, 'A1', 'One');
    await vi.waitFor(() => expect(receiver.received(paths[0])).toHaveLength(1), 20_000);
    const { nodeId } = created;
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, url: receiver.url(paths[1]) });
    gate.open();
    await rename(client, 'A2', 'One');
    await vi.waitFor(() => expect(versionsOf(receiver.received(paths[1]), 'A2')).toEqual([2]), 20_000);
    await isFree();
    expect((await findEndpoint(client, nodeId)).status).toBe('ENABLED');
  });

  it('leaves out the changes of another customer', async () => {
    const { client } = await clientOfReplica([3_600_000]);
    const path = newPath();
    receiver.reply(path, () => ({ status: 500 }));
    const created = await createEndpoint(client, { url: receiver.url(path) });
    for (const id of ['A1', 'A2']) await rename(client, id, 'One');
    await vi.waitFor(() => expect(receiver.received(path)).toHaveLength(2), 20_000);
    await isFree();
    const changes = { nodeId: created.nodeId, customerId: 'another' };
    expect(await tryWebhooks(client, 'updateWebhookEndpoint', changes)).toMatchObject({ replayed: false });
    await service.database.orm.execute(sql`update webhook_lanes set next_attempt_at = now()`);
    await settled(client, created);
    expect(receiver.received(path)).toHaveLength(2);
  });
});

it('delivers a change again if its redelivery is requested during the last attempt', async () => {
  const { client } = await clientOfReplica([]);
  const path = newPath();
  const created = await createEndpoint(client, { url: receiver.url(path), onExhausted: 'BLOCK' });
  const held = holdResponse(path, 2, 500);
  await rename(client, 'A1', 'One');
  await held.arrived();
  const { position } = receiver.received(path)[0]?.body.data ?? {};
  const range = { nodeId: created.nodeId, from: position, to: position };
  expect(await tryWebhooks(client, 'redeliver', range)).toMatchObject({ replayed: false });
  held.open();
  await settled(client, created);
  expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 2]);
});
