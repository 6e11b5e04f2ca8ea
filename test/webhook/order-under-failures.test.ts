import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { tenantWithAccounts } from '../support/fixtures.ts';
import {
  type App,
  type Client,
  clientThrough,
  type Json,
  openApp,
  sessionKey,
  useService,
} from '../support/service.ts';
import { useReceiver } from '../support/webhook-receiver.ts';
import { createEndpoint, newPath, rename, settled, tryWebhooks } from '../support/webhooks.ts';

/** Enough attempts that no change is skipped. */
const webhooks = { keys: [sessionKey], schedule: Array<number>(200).fill(5), allowPrivateTargets: true };
/** The server of the tests delivers nothing. */
const service = useService({ webhooks: { ...webhooks, keys: [] } });
const receiver = useReceiver();
const accounts = ['A1', 'A2', 'A4'];
const rounds = 40;

const replicas: App[] = [];
const openReplica = () => replicas.push(openApp(service.connection, { webhooks }));
afterAll(() => Promise.all(replicas.map((replica) => replica.close())));

const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T;

/** What one endpoint received with success, and the redeliveries that it was asked for, in their order. */
type Log = ({ account: string; version: number; position: string } | { from: number; to: number })[];

interface Target {
  nodeId: string;
  paths: string[];
  log: Log;
}

/** Creates an endpoint that fails at random. */
async function createTarget(client: Client): Promise<Target> {
  const paths = [newPath(), newPath()];
  const log: Log = [];
  for (const path of paths) {
    receiver.reply(path, async ({ body }, isOpen) => {
      await sleep(Math.random() * 8);
      if (Math.random() < 0.2) return { status: pick([500, 503, 400]) };
      if (Math.random() < 0.02) return { status: 429, headers: { 'retry-after': '0' } };
      const { accountId, sequence, position } = body.data;
      // A closed replica has cut the request, and another one may have sent the change meanwhile.
      if (isOpen()) log.push({ account: accountId, version: sequence, position });
      return { status: 200 };
    });
  }
  const { nodeId } = await createEndpoint(client, { url: receiver.url(paths[0] ?? '') });
  return { nodeId, paths, log };
}

const numberOf = (position: string): number => Buffer.from(position, 'base64url').readUIntBE(0, 6);

async function redeliverSome(client: Client, { nodeId, log }: Target): Promise<void> {
  const positions = log.flatMap((entry) => ('position' in entry ? [entry.position] : []));
  if (positions.length === 0) return;
  const [from, to] = [pick(positions), pick(positions)].toSorted((a, b) => numberOf(a) - numberOf(b));
  log.push({ from: numberOf(from ?? ''), to: numberOf(to ?? '') });
  const result = await tryWebhooks(client, 'redeliver', { nodeId, from, to });
  expect(result).toMatchObject({ replayed: false });
}

async function updateSomehow(client: Client, { nodeId, paths }: Target): Promise<void> {
  const update = (input: object) => tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, ...input });
  const change = pick(['url', 'payload', 'secret', 'pause']);
  if (change === 'url') await update({ url: receiver.url(pick(paths)) });
  if (change === 'payload') await update({ payload: pick(['THIN', 'FULL']) });
  if (change === 'secret') await tryWebhooks(client, 'rotateWebhookSecret', { nodeId });
  if (change !== 'pause') return;
  await update({ status: 'DISABLED' });
  await sleep(Math.random() * 50);
  await update({ status: 'ENABLED' });
}

async function replaceReplica(): Promise<void> {
  openReplica();
  await replicas.shift()?.close();
}

/**
 * Returns the steps back in the successful deliveries of an account that no redelivery explains. Each redelivery explains
 * one, to the first change that any of them included, because they are combined while they wait.
 */
function unexplainedStepsBack(log: Log, account: string): Json[] {
  const places = log.flatMap((one) =>
    'account' in one && one.account === account ? [numberOf(one.position)] : [],
  );
  const found: Json[] = [];
  let previous = 0;
  let unused = 0;
  let earliest = Number.POSITIVE_INFINITY;
  for (const entry of log) {
    if ('from' in entry) {
      const included = places.filter((place) => entry.from <= place && place <= entry.to);
      if (included.length > 0) unused += 1;
      earliest = Math.min(earliest, ...included);
    } else if (entry.account === account) {
      const place = numberOf(entry.position);
      if (place < previous) {
        if (unused === 0 || place < earliest) found.push({ previous, place, unused, earliest });
        unused -= 1;
      }
      previous = place;
    }
  }
  return found;
}

describe('replicas that deliver while endpoints fail and change and replicas are replaced', () => {
  it('send every change, and go back only for a redelivery', async () => {
    for (let count = 0; count < 3; count += 1) openReplica();
    const client = await tenantWithAccounts(service);
    const manager = () => clientThrough(replicas.at(-1) as App, client);
    const targets = [await createTarget(manager()), await createTarget(manager())];
    let isWriting = true;
    const writing = accounts.map(async (id) => {
      for (let round = 0; round < rounds; round += 1) {
        await rename(client, id, `Round ${round}`);
        await sleep(Math.random() * 60);
      }
    });
    // One at a time, because a replica that is closed must not be in use.
    const disturbing = (async () => {
      for (let step = 0; isWriting; step += 1) {
        const target = targets[step % 2] as Target;
        if (step % 7 === 3) await replaceReplica();
        else if (step % 3 === 0) await redeliverSome(manager(), target);
        else await updateSomehow(manager(), target);
        await sleep(Math.random() * 40);
      }
    })();
    await Promise.all(writing);
    isWriting = false;
    await disturbing;
    for (const target of targets) await settled(client, target);
    for (const { log } of targets) {
      for (const account of accounts) {
        const versions = log.flatMap((one) =>
          'account' in one && one.account === account ? [one.version] : [],
        );
        expect([...new Set(versions)].toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: rounds }, (_, index) => index + 2),
        );
        expect(unexplainedStepsBack(log, account)).toEqual([]);
      }
    }
  }, 60_000);
});
