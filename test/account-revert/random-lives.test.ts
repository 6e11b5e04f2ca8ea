import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createAccount, setting, tenantWithCustomer } from '../support/fixtures.ts';
import { type Dice, diceOf } from '../support/fuzz.ts';
import { type MutationName, tryMutation } from '../support/mutations.ts';
import { readAccount } from '../support/reads.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const id = 'A1';
const values = ['v', 'w', 'x', 'y', 'z'];
const dates = [null, '2001-01-01T00:00:00Z', '2900-01-01T00:00:00Z', '2901-01-01T00:00:00Z'];

function fieldsOf(dice: Dice): object {
  const fields = {
    name: dice.pick(['One', 'Two']),
    invoiceCurrency: dice.pick([null, 'EUR', 'USD']),
    netTermDays: dice.pick([null, 0, 30]),
    primaryEmail: dice.pick([null, 'a@acme.com']),
    address: dice.pick([null, { line1: 'Main St 1' }, { line1: 'Main St 1', country: 'DE' }]),
    billingInformation: dice.pick([null, {}, { emailRecipients: ['a@acme.com'] }]),
    tags: dice.pick([null, ['a'], ['b', 'a']]),
    metadata: dice.pick([null, { k: 'v' }, { k: 'w', l: '' }]),
  };
  return Object.fromEntries(Object.entries(fields).filter(() => dice.chance(40)));
}

/** Returns the next mutation of a life. Some are refused. */
function nextOf(dice: Dice, version: number): [MutationName, object][] {
  const aliases = [dice.pick(values)];
  const [effectiveFrom, effectiveUntil] = [dice.pick(dates), dice.pick(dates)];
  const datedAliases = [{ value: dice.pick(values), effectiveFrom, effectiveUntil }];
  const settings = [setting(dice.pick(['s', 't', 'u']), { value: dice.pick(['1', '2']) })];
  const keys = settings.map(({ namespace, id: key }) => ({ namespace, id: key }));
  return dice.pick<[MutationName, object][]>([
    [['updateAccount', { id, ...fieldsOf(dice) }]],
    [['updateAccount', { id, ...fieldsOf(dice) }]],
    [['addAliases', { accountId: id, aliases }]],
    [['addAliases', { accountId: id, datedAliases }]],
    [['removeAliases', { accountId: id, aliases }]],
    [['removeAliases', { accountId: id, aliases, effectiveUntil: '2900-06-01T00:00:00Z' }]],
    [['transferAlias', { alias: aliases[0], toAccountId: 'A2' }]],
    [['transferAlias', { alias: aliases[0], toAccountId: id }]],
    [['putSettings', { accountId: id, settings }]],
    [['removeSettings', { accountId: id, settings: keys }]],
    [['revertAccount', { id, toVersion: 1 + dice.int(version - 1) }]],
    [
      ['archiveAccount', { id }],
      ['restoreAccount', { id }],
    ],
  ]);
}

const timeline = `query($id: ID!) { account(id: $id) { aliasTimeline(first: 100) { nodes { value effectiveFrom effectiveUntil } } } }`;

/** Returns the spans of an account that go on, as they are from now on. */
async function spansOf(client: Client, account: string): Promise<Json[]> {
  const { data } = await client.send(timeline, { id: account });
  const now = new Date().toISOString();
  return data.account.aliasTimeline.nodes
    .filter(({ effectiveUntil }: Json) => effectiveUntil === null || effectiveUntil > now)
    .map(({ value, effectiveFrom, effectiveUntil }: Json) => ({
      ...{ value, effectiveUntil },
      effectiveFrom: effectiveFrom === null || effectiveFrom <= now ? null : effectiveFrom,
    }))
    .toSorted((a: Json, b: Json) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

async function stateOf(client: Client): Promise<Json> {
  const account = await readAccount(client, id);
  const { nodeId, customer, createdAt, updatedAt, version, status, aliases, ...fields } = account;
  return { version, state: { fields, spans: await spansOf(client, id) } };
}

const meets = (a: Json, b: Json): boolean =>
  a.value === b.value &&
  (a.effectiveUntil ?? '9') > (b.effectiveFrom ?? '') &&
  (b.effectiveUntil ?? '9') > (a.effectiveFrom ?? '');

it('brings every version of random lives back, or says which aliases another account has', {
  timeout: 120_000,
}, async () => {
  const counts = { reverted: 0, clashed: 0 };
  const life = async (dice: Dice) => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id, aliases: ['v', 'w'], settings: [setting('s')] });
    await createAccount(client, { id: 'A2', aliases: ['x'] });
    const states = new Map<number, Json>();
    let { version, state } = await stateOf(client);
    for (let step = 0; step < 25; step += 1) {
      states.set(version, state);
      for (const [name, input] of nextOf(dice, version)) {
        await tryMutation(client, name, input);
        ({ version, state } = await stateOf(client));
        states.set(version, state);
      }
    }
    for (const [toVersion, then] of states) {
      const taken = (await spansOf(client, 'A2')).filter((one) =>
        then.spans.some((span: Json) => meets(one, span)),
      );
      const result = await tryMutation(client, 'revertAccount', { id, toVersion });
      if (taken.length > 0) {
        expect(result).toMatchObject({ code: 'REVERT_REFUSED', issues: [] });
        const clashes = [...new Set(taken.map(({ value }) => value))].toSorted();
        expect(result.clashes.map(({ value }: Json) => value).toSorted()).toEqual(clashes);
        counts.clashed += 1;
      } else {
        expect(result).toMatchObject({ replayed: false });
        expect({ toVersion, state: (await stateOf(client)).state }).toEqual({ toVersion, state: then });
        counts.reverted += 1;
      }
    }
  };
  await fc.assert(
    fc.asyncProperty(fc.gen(), (g) => life(diceOf(g))),
    { numRuns: 8, endOnFailure: true },
  );
  expect(counts.reverted).toBeGreaterThan(20);
  expect(counts.clashed).toBeGreaterThan(0);
});
