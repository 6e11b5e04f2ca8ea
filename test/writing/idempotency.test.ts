import { describe, expect, it } from 'vitest';
import { ageKeys, stored, writesNothing } from '../support/database.ts';
import { type MutationCase, mutationCases, refusalsOf, tenantFor } from '../support/mutation-cases.ts';
import { accepted, atOnce, mutate, refused, tryMutation } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const idempotencyKey = 'order-1';

/** Returns how many history entries, idempotency records and versions `work` adds. */
async function growth(client: Client, work: () => Promise<unknown>) {
  const versions = (rows: Json[]) => rows.reduce((sum, row) => sum + row.version, 0);
  const before = await stored(service, client);
  await work();
  const after = await stored(service, client);
  return {
    changes: after.changes.length - before.changes.length,
    records: after.idempotency_records.length - before.idempotency_records.length,
    versions:
      versions([...after.accounts, ...after.customers]) - versions([...before.accounts, ...before.customers]),
  };
}

describe.concurrent.each(mutationCases)('$name with an idempotency key', (one: MutationCase) => {
  const { name, input } = one;
  const keyed = { ...input, idempotencyKey };

  it('writes once and replays the first result', async () => {
    const client = await tenantFor(service, one);
    let first: Json;
    const grown = await growth(client, async () => {
      first = await tryMutation(client, name, keyed);
    });
    expect(first).toMatchObject({ replayed: false });
    expect(grown).toEqual({ changes: one.changes, records: 1, versions: one.changes });
    const second = await writesNothing(service, [client], () => tryMutation(client, name, keyed));
    expect(second).toEqual({ ...first, replayed: true });

    await mutate(client, ...one.later);
    const third = await writesNothing(service, [client], () => tryMutation(client, name, keyed));
    expect(third).toEqual({ ...first, replayed: true });
  });

  it('stores the key only if it succeeds, and then rejects another input for 24 hours', async () => {
    const client = await tenantFor(service, one);
    for (const refused of refusalsOf(one)) {
      const send = () => tryMutation(client, name, { ...refused, idempotencyKey });
      expect(await writesNothing(service, [client], send)).toMatchObject({ code: expect.any(String) });
    }
    expect(await tryMutation(client, name, keyed)).toMatchObject({ replayed: false });
    const other = { ...one.other, idempotencyKey };
    const reuse = () => tryMutation(client, name, other);
    await ageKeys(service, client, 23);
    expect(await writesNothing(service, [client], reuse)).toMatchObject({
      __typename: 'IdempotencyError',
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    await ageKeys(service, client, 2);
    const grown = await growth(client, async () => expect(await reuse()).toMatchObject({ replayed: false }));
    expect(grown).toEqual({ changes: one.changes, records: 0, versions: one.changes });
    expect(await reuse()).toMatchObject({ replayed: true });
  });

  it('writes once for 20 concurrent requests', async () => {
    const client = await tenantFor(service, one);
    let results: Json[] = [];
    const grown = await growth(client, async () => {
      results = await atOnce(20, () => tryMutation(client, name, keyed));
    });
    expect(grown).toEqual({ changes: one.changes, records: 1, versions: one.changes });
    expect(results.filter((result) => result.replayed === false)).toHaveLength(1);
    const [first] = accepted(results);
    for (const answer of accepted(results)) expect({ ...answer, replayed: first.replayed }).toEqual(first);
    for (const answer of refused(results)) expect(answer.code).toBe('IDEMPOTENCY_IN_PROGRESS');
  });
});
