import { describe, expect, it } from 'vitest';
import { accountInput, customerInput } from '../support/account.ts';
import { type MutationCase, mutationCases, newWorld, untouched } from '../support/mutation-cases.ts';
import { memberOf, mutate, mutated, sendMutation } from '../support/mutations.ts';
import { expectRequestError } from '../support/refusal.ts';
import { useService } from '../support/service.ts';
import { writesNothing } from '../support/stored.ts';

const service = useService();
const world = untouched(() => newWorld(service));

describe.concurrent.each(mutationCases)('$name', ({ name, input, unknown }: MutationCase) => {
  it('is shut to who has no token or an unknown one, and writes nothing', async () => {
    const { client } = world;
    await writesNothing(service, [client], async () => {
      for (const authorization of ['', `Bearer agk_${'A'.repeat(32)}`]) {
        const answer = await sendMutation(client, name, input, { authorization });
        expectRequestError(answer, 401, 'UNAUTHENTICATED');
      }
    });
  });

  // A new customer names nothing that there is already.
  if (unknown === undefined) return;
  it('answers for what another tenant has as for what nobody has, and changes nothing in either', async () => {
    const [owner, stranger] = [world.client, await service.newTenant()];
    await writesNothing(service, [owner, stranger], async () => {
      const theirs = await mutate(stranger, name, { ...input, idempotencyKey: 'k' });
      expect(theirs).toMatchObject({ __typename: 'NotFoundError', code: 'NOT_FOUND' });
      const nobodys = await mutate(stranger, name, { ...input, ...unknown, idempotencyKey: 'k' });
      const message = expect.stringMatching(/^There is no \w+ ".+"( in force at that instant)?\.$/);
      expect(theirs).toEqual({ ...nobodys, id: expect.any(String), message });
      expect(Object.values(input)).toContain(theirs.id);
    });
  });
});

describe('two tenants', () => {
  it('may use one id, one alias and one key each: each has its own', async () => {
    const clients = [await service.newTenant(), await service.newTenant()];
    for (const client of clients) {
      await mutated(client, 'createCustomer', customerInput());
      const account = accountInput({ aliases: ['x'], idempotencyKey: 'k' });
      expect(await mutate(client, 'createAccount', account)).toMatchObject({ replayed: false });
    }
    const [one, two] = await Promise.all(
      clients.map((client) => sendMutation(client, 'archiveAccount', { id: 'A1', idempotencyKey: 'l' })),
    );
    for (const answer of [one, two]) {
      expect(answer && memberOf(answer, 'archiveAccount')).toMatchObject({ replayed: false });
    }
  });

  it('cannot take each other an alias: a transfer finds only one’s own', async () => {
    const [owner, stranger] = [await newWorld(service), await newWorld(service)];
    await mutated(owner, 'addAliases', { accountId: 'A1', aliases: ['theirs'] });
    const transfer = () => mutate(stranger, 'transferAlias', { alias: 'theirs', toAccountId: 'A1' });
    expect(await writesNothing(service, [owner, stranger], transfer)).toMatchObject({
      __typename: 'NotFoundError',
      type: 'Alias',
      id: 'theirs',
    });
  });
});
