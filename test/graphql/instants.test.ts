import { beforeAll, describe, expect, it } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
let client: Client;

beforeAll(async () => {
  client = await tenantWithCustomer(service);
  await createAccount(client, {
    id: 'A1',
    datedAliases: [
      { value: 'before', effectiveUntil: '2024-06-01T08:00:00Z' },
      { value: 'after', effectiveFrom: '2024-06-01T08:00:00Z' },
    ],
  });
});

/** Returns the aliases at an instant by each way in, and the HTTP status. */
async function readAt(instant: string) {
  const document = 'query($on: DateTime) { account(id: "A1") { aliases(effectiveOn: $on) { value } } }';
  const literal = `{ account(id: "A1") { aliases(effectiveOn: ${JSON.stringify(instant)}) { value } } }`;
  const [byVariable, byLiteral] = [await client.send(document, { on: instant }), await client.send(literal)];
  const rest = await service.fetch(
    new Request(`http://localhost/accounts/A1?effectiveOn=${encodeURIComponent(instant)}`, {
      headers: { authorization: `Bearer ${client.token}` },
    }),
  );
  const { aliases } = await rest.json();
  return {
    variable:
      byVariable.data?.account.aliases.map(({ value }: { value: string }) => value) ?? byVariable.status,
    literal: byLiteral.data?.account.aliases.map(({ value }: { value: string }) => value) ?? byLiteral.status,
    rest: rest.status === 200 ? aliases.map(({ alias }: { alias: string }) => alias) : rest.status,
  };
}

describe('an instant', () => {
  it.each([
    ['2024-06-01T07:59:59.999Z', 'before'],
    ['2024-06-01T08:00:00Z', 'after'],
    ['2024-06-01T00:00:00-0800', 'after'],
    ['2024-06-01T00:00:00-0759', 'before'],
    ['2024-06-01t08:00:00z', 'after'],
    ['2024-06-01 08:00:00 UTC', 'after'],
    ['2024-06-01T08:00:00', 'after'],
    ['2024-06-01', 'before'],
    ['2024-06-02', 'after'],
  ])('can be written %s on both APIs', async (instant, alias) => {
    expect(await readAt(instant)).toEqual({ variable: [alias], literal: [alias], rest: [alias] });
  });

  it.each([
    '2024-06-01T24:00:00Z',
    '2016-12-31T23:59:60Z',
    '2024-02-30',
    '2024-06-01T08:00Z',
    '2024-6-1',
    'now',
  ])('cannot be written %s on either API', async (instant) => {
    expect(await readAt(instant)).toEqual({ variable: 400, literal: 400, rest: 400 });
  });
});
