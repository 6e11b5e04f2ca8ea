import { describe, expect, it } from 'vitest';
import { writesNothing } from '../support/database.ts';
import { accountInput, createCustomer, tenantWithEverything, useSharedTenant } from '../support/fixtures.ts';
import { type MutationCase, mutationCases } from '../support/mutation-cases.ts';
import { mutate, resultOf, sendMutation, tryMutation } from '../support/mutations.ts';
import { expectRequestError } from '../support/refusal.ts';
import { useService } from '../support/service.ts';

const service = useService();
const tenant = useSharedTenant(() => tenantWithEverything(service));

describe.concurrent.each(mutationCases)('$name', ({ name, input, unknown }: MutationCase) => {
  it('returns 401 and writes nothing without a valid token', async () => {
    const { client } = tenant;
    await writesNothing(service, [client], async () => {
      for (const authorization of ['', `Bearer agk_${'A'.repeat(32)}`]) {
        const answer = await sendMutation(client, name, input, { authorization });
        expectRequestError(answer, 401, 'UNAUTHENTICATED');
      }
    });
  });

  // The input of createCustomer names no existing entity.
  if (unknown === undefined) return;
  it('answers for entities of another tenant as for unknown ones and writes nothing', async () => {
    const [owner, stranger] = [tenant.client, await service.newTenant()];
    await writesNothing(service, [owner, stranger], async () => {
      const theirs = await tryMutation(stranger, name, { ...input, idempotencyKey: 'k' });
      expect(theirs).toMatchObject({ __typename: 'NotFoundError', code: 'NOT_FOUND' });
      const nobodys = await tryMutation(stranger, name, { ...input, ...unknown, idempotencyKey: 'k' });
      const message = expect.stringMatching(/^There is no \w+ ".+"( in force at that instant)?\.$/);
      expect(theirs).toEqual({ ...nobodys, id: expect.any(String), message });
      expect(Object.values(input)).toContain(theirs.id);
    });
  });
});

describe('a tenant beside another one', () => {
  it('accepts the id, alias and idempotency key of the other', async () => {
    const clients = [await service.newTenant(), await service.newTenant()];
    for (const client of clients) {
      await createCustomer(client);
      const account = accountInput({ aliases: ['x'], idempotencyKey: 'k' });
      expect(await tryMutation(client, 'createAccount', account)).toMatchObject({ replayed: false });
    }
    const [one, two] = await Promise.all(
      clients.map((client) => sendMutation(client, 'archiveAccount', { id: 'A1', idempotencyKey: 'l' })),
    );
    for (const answer of [one, two]) {
      expect(answer && resultOf(answer, 'archiveAccount')).toMatchObject({ replayed: false });
    }
  });

  it('cannot transfer an alias of the other', async () => {
    const [owner, stranger] = [await tenantWithEverything(service), await tenantWithEverything(service)];
    await mutate(owner, 'addAliases', { accountId: 'A1', aliases: ['theirs'] });
    const transfer = () => tryMutation(stranger, 'transferAlias', { alias: 'theirs', toAccountId: 'A1' });
    expect(await writesNothing(service, [owner, stranger], transfer)).toMatchObject({
      __typename: 'NotFoundError',
      type: 'Alias',
      id: 'theirs',
    });
  });
});
