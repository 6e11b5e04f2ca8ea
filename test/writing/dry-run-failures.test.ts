import { sql } from 'drizzle-orm';
import { describe, expect, inject, it } from 'vitest';
import { stored, waitingStatements, writesNothing } from '../support/database.ts';
import { accountInput, tenantWithEverything } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { expectRequestError } from '../support/refusal.ts';
import { useRest } from '../support/rest.ts';
import { type Answer, type Client, clientThrough, openApp, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);

/** Behind a pooler, statements are not cancelled and end by their timeout. */
const pooled = inject('pooler') !== undefined;

const rename = (id: string) =>
  `${id}: updateAccount(input: { id: "${id}", name: "Dry", dryRun: true }) { __typename }`;
const document = `mutation { ${rename('A1')} ${rename('A2')} }`;

/** Sends two dry runs, and calls `work` while the second one waits for a lock. */
async function whileWaiting(client: Client, work: (answer: Promise<Answer>) => Promise<void>): Promise<void> {
  await service.database.orm.transaction(async (tx) => {
    await tx.execute(
      sql`select from accounts where tenant_id = ${client.tenantId} and id = 'A2' for no key update`,
    );
    const answer = client.send(document);
    await expect.poll(() => waitingStatements(service)).toBe(1);
    await work(answer);
  });
}

describe('a dry run', () => {
  it('leaves nothing if its connection is lost', async () => {
    const client = await tenantWithEverything(service);
    await writesNothing(service, [client], () =>
      whileWaiting(client, async (answer) => {
        await service.database.orm.execute(
          sql`select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'`,
        );
        expectRequestError(await answer, 503, 'SERVICE_UNAVAILABLE');
      }),
    );
    expect(await mutate(client, 'updateAccount', { id: 'A1', name: 'Real' })).toMatchObject({ version: 2 });
  });

  it('leaves nothing and holds no lock after its deadline', async () => {
    const client = await tenantWithEverything(service);
    const quick = openApp(service.connection, { operationTimeoutMs: 1_000 });
    const before = await stored(service, client);
    await whileWaiting(clientThrough(quick, client), async (answer) => {
      expectRequestError(await answer, 504, 'TIMEOUT');
      // The first of the two dry runs had locked A1.
      if (!pooled) await mutate(client, 'updateAccount', { id: 'A1', name: 'Real' });
    });
    const after = await stored(service, client);
    const unchanged = ({ id }: { id: string }) => pooled || id !== 'A1';
    expect(after.accounts.filter(unchanged)).toEqual(before.accounts.filter(unchanged));
    expect(after.changes).toHaveLength(before.changes.length + (pooled ? 0 : 1));
    await quick.close();
  });

  it('writes nothing over a connection without prepared statements, as behind a pooler', async () => {
    const client = await tenantWithEverything(service);
    const unprepared = openApp(service.connection, { prepare: false });
    const send = () => clientThrough(unprepared, client).send(document);
    expect((await writesNothing(service, [client], send)).data).toEqual({
      A1: { __typename: 'UpdateAccountSuccess' },
      A2: { __typename: 'UpdateAccountSuccess' },
    });
    await unprepared.close();
  });

  it('does not exist in REST, which refuses the field', async () => {
    const client = await tenantWithEverything(service);
    const body = { ...accountInput({ id: 'A9' }), dryRun: true };
    const send = () => rest.of(client).post('/accounts', body);
    const { status, body: refusal } = await writesNothing(service, [client], send);
    expect([status, refusal.message]).toEqual([400, expect.stringContaining('dryRun')]);
  });

  it('waits for a write of the same account, and sees it', async () => {
    const client = await tenantWithEverything(service);
    let dry: Promise<Answer> | undefined;
    await whileWaiting(client, async (answer) => {
      dry = answer;
    });
    expect((await dry)?.data).toEqual({
      A1: { __typename: 'UpdateAccountSuccess' },
      A2: { __typename: 'UpdateAccountSuccess' },
    });
  });
});
