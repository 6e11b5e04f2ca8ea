import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { ageKeys, rowCounts, statementsOf } from '../support/database.ts';
import { x } from '../support/field-limits.ts';
import { accountInput, createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { mutate, tryMutation } from '../support/mutations.ts';
import { issuesOf } from '../support/refusal.ts';
import { withReplica } from '../support/replica.ts';
import { type Client, clientThrough, type Json, useService } from '../support/service.ts';

const service = useService();
const idempotencyKey = 'order-1';
const full = {
  idempotencyKey,
  aliases: ['x'],
  datedAliases: [{ value: 'y', effectiveFrom: '2020-01-01T00:00:00Z' }],
  settings: [{ id: 's', namespace: 'n', name: 'n', dataType: 'STRING', value: 'v' }],
  address: { country: 'DE' },
  billingInformation: { emailRecipients: ['a@acme.com'] },
  tags: ['t'],
  metadata: { b: '1', a: '2' },
};

describe('createAccount with an idempotency key that was used', () => {
  it('returns the first result as replayed and writes nothing', async () => {
    const client = await tenantWithCustomer(service);
    const first = await tryMutation(client, 'createAccount', accountInput(full));
    const rows = await rowCounts(service, client);
    const second = await tryMutation(client, 'createAccount', accountInput(full));
    expect(first.replayed).toBe(false);
    expect(second).toEqual({ ...first, replayed: true });
    expect(await rowCounts(service, client)).toEqual(rows);
    expect(rows).toMatchObject({ accounts: 1, idempotency_records: 1 });
  });

  it('returns the first result from another replica', async () => {
    const client = await tenantWithCustomer(service);
    const first = await tryMutation(client, 'createAccount', accountInput(full));
    const second = await withReplica(service, (replica) =>
      tryMutation(clientThrough(replica, client), 'createAccount', accountInput(full)),
    );
    expect(second).toEqual({ ...first, replayed: true });
  });

  it('returns the first result if the fields of the input are in another order', async () => {
    const client = await tenantWithCustomer(service);
    const first = await tryMutation(client, 'createAccount', accountInput(full));
    const reordered = Object.fromEntries(Object.entries(full).toReversed());
    const second = await tryMutation(
      client,
      'createAccount',
      accountInput({ ...reordered, metadata: { a: '2', b: '1' } }),
    );
    expect(second).toEqual({ ...first, replayed: true });
  });

  it('runs one statement for a replay', async () => {
    const client = await tenantWithCustomer(service);
    const { nodeId } = await createAccount(client, { idempotencyKey });
    const bare = `mutation { createAccount(input: { id: "A1", name: "Main account", customerId: "C1",
      idempotencyKey: "order-1" }) { ... on CreateAccountSuccess { replayed account { nodeId } } } }`;
    const expected = { replayed: true, account: { nodeId } };
    const texts = await statementsOf(service, async () => {
      expect((await client.send(bare)).data.createAccount).toEqual(expected);
    });
    expect(texts).toHaveLength(1);
  });

  it.each([
    ['another name', { name: 'Other name' }],
    ['another id', { id: 'A2' }],
    ['an alias more', { aliases: ['x', 'z'] }],
    ['other metadata', { metadata: { a: '1' } }],
  ])('rejects %s, because the key belongs to another input', async (_, change) => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, full);
    const rows = await rowCounts(service, client);
    expect(await tryMutation(client, 'createAccount', accountInput({ ...full, ...change }))).toMatchObject({
      __typename: 'IdempotencyError',
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    expect(await rowCounts(service, client)).toEqual(rows);
  });

  it('creates an account in another tenant', async () => {
    const [one, two] = [await tenantWithCustomer(service), await tenantWithCustomer(service)];
    const first = await tryMutation(one, 'createAccount', accountInput(full));
    const second = await tryMutation(two, 'createAccount', accountInput({ ...full, name: 'Of the other' }));
    expect(second.replayed).toBe(false);
    expect(second.account.nodeId).not.toBe(first.account.nodeId);
  });

  it('replays the result until 24 hours have passed', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, full);
    await ageKeys(service, client, 23);
    expect((await tryMutation(client, 'createAccount', accountInput(full))).replayed).toBe(true);
  });

  it('accepts the key for another input after 24 hours', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, full);
    await ageKeys(service, client, 25);
    expect(
      await tryMutation(client, 'createAccount', accountInput({ id: 'A2', idempotencyKey })),
    ).toMatchObject({ replayed: false });
    expect(
      await tryMutation(client, 'createAccount', accountInput({ id: 'A2', idempotencyKey })),
    ).toMatchObject({ replayed: true });
  });
});

describe('a rejected createAccount with an idempotency key', () => {
  it.each([
    ['the input is invalid', { name: '' }, 'INVALID_INPUT'],
    ['the customer does not exist', { customerId: 'nobody' }, 'NOT_FOUND'],
    ['the id is taken', { id: 'TAKEN' }, 'ID_TAKEN'],
    ['an alias is taken', { aliases: ['TAKEN'] }, 'ALIAS_TAKEN'],
  ])('does not store the key if %s', async (_, refused, code) => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'TAKEN' });
    expect(
      await tryMutation(client, 'createAccount', accountInput({ idempotencyKey, ...refused })),
    ).toMatchObject({ code });
    expect(await tryMutation(client, 'createAccount', accountInput({ idempotencyKey }))).toMatchObject({
      replayed: false,
    });
  });
});

describe('concurrent createAccount with one idempotency key', () => {
  const typed = (result: Json) => result.code ?? (result.replayed ? 'REPLAYED' : 'WRITTEN');
  const send = (client: Client, inputOf: (index: number) => object) =>
    Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        tryMutation(client, 'createAccount', accountInput(inputOf(index))),
      ),
    );

  it('writes once on two replicas and returns the result or IDEMPOTENCY_IN_PROGRESS to equal requests', async () => {
    const client = await tenantWithCustomer(service);
    const results = await withReplica(service, async (replica) => {
      const both = [client, clientThrough(replica, client)];
      return (await Promise.all(both.map((one) => send(one, () => full)))).flat();
    });
    const kinds = results.map(typed);
    expect(kinds.filter((kind) => kind === 'WRITTEN')).toHaveLength(1);
    const others = kinds.filter((kind) => kind !== 'WRITTEN');
    for (const kind of others) expect(['REPLAYED', 'IDEMPOTENCY_IN_PROGRESS']).toContain(kind);
    const nodeIds = results.flatMap((result) => result.account?.nodeId ?? []);
    expect(new Set(nodeIds).size).toBe(1);
    expect(await rowCounts(service, client)).toMatchObject({ accounts: 1, idempotency_records: 1 });
  });

  it('writes once and rejects other inputs', async () => {
    const client = await tenantWithCustomer(service);
    const kinds = (await send(client, (index) => ({ id: `A-${index}`, idempotencyKey }))).map(typed);
    expect(kinds.filter((kind) => kind === 'WRITTEN')).toHaveLength(1);
    const others = kinds.filter((kind) => kind !== 'WRITTEN');
    for (const kind of others) expect(kind).toMatch(/^IDEMPOTENCY_(KEY_REUSED|IN_PROGRESS)$/);
    expect(await rowCounts(service, client)).toMatchObject({ accounts: 1, idempotency_records: 1 });
  });
});

describe('an idempotency key', () => {
  it.each([
    ['1 character', '!'],
    ['255 characters', x(255)],
    ['every kind of visible ASCII', `!"#$%&'()*+,-./09:;<=>?@AZ[\\]^_\`az{|}~`],
  ])('accepts %s', async (_, key) => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { idempotencyKey: key });
    expect((await tryMutation(client, 'createAccount', accountInput({ idempotencyKey: key }))).replayed).toBe(
      true,
    );
  });

  it.each([
    ['the empty string', ''],
    ['256 characters', x(256)],
    ['a space', 'a b'],
    ['a trailing line break', 'ab\n'],
    ['a character outside ASCII', 'clé'],
    ['U+0000', 'a\u0000'],
    ['a delete character', 'a\u007f'],
  ])('rejects %s', async (_, key) => {
    const client = await tenantWithCustomer(service);
    const issues = issuesOf(
      await tryMutation(client, 'createAccount', accountInput({ idempotencyKey: key })),
    );
    expect(issues).toEqual([{ path: ['idempotencyKey'], code: 'INVALID_FORMAT' }]);
  });

  it('does not wait for the claim of an alias with the same text', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client);
    await service.database.orm
      .transaction(async (tx) => {
        // Blocks the claim of the alias after it has begun.
        await tx.execute(sql`select from accounts where tenant_id = ${client.tenantId} for update`);
        const claim = mutate(client, 'addAliases', { accountId: 'A1', aliases: ['idempotency k'] });
        await expect
          .poll(() =>
            tx.execute(sql`select from pg_locks where database = (
          select oid from pg_database where datname = current_database()) and locktype = 'advisory'`),
          )
          .toHaveLength(1);
        expect(
          await tryMutation(client, 'createAccount', accountInput({ id: 'A2', idempotencyKey: 'k' })),
        ).toMatchObject({
          replayed: false,
        });
        return { claim };
      })
      .then(({ claim }) => claim);
  });

  it('is case-sensitive', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { idempotencyKey: 'key' });
    expect(
      await tryMutation(client, 'createAccount', accountInput({ id: 'A2', idempotencyKey: 'KEY' })),
    ).toMatchObject({
      replayed: false,
    });
  });
});
