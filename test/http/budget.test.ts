import { describe, expect, it } from 'vitest';
import type { Viewer } from '../../src/ctx.ts';
import { createBudgets } from '../../src/http/budget.ts';
import { scopes } from '../../src/lib/scope.ts';
import { json, sendRaw } from '../support/http.ts';
import { expectRequestError } from '../support/refusal.ts';
import { type Client, type Json, useService } from '../support/service.ts';
import { tenantRow } from '../support/tenants.ts';

const viewerOf = (actor: string, id = 1): Viewer => ({
  tenant: tenantRow(id),
  keyName: 'k',
  scopes: [],
  expiresAt: null,
  actor,
});

describe('a budget', () => {
  function useClock(costPerMinute: number) {
    const clock = { ms: 1_000_000 };
    return { clock, spend: createBudgets(costPerMinute, () => clock.ms) };
  }

  it('starts full and rejects a cost above the rest with a retry time', () => {
    const { spend } = useClock(600);
    const taken = spend(viewerOf('a'), 590);
    expect(taken.allowed).toBe(true);
    expect(taken.headers()).toEqual({
      'ratelimit-limit': '600',
      'ratelimit-remaining': '10',
      'ratelimit-reset': '59',
    });
    const refused = spend(viewerOf('a'), 25);
    expect(refused.allowed).toBe(false);
    expect(refused.headers()).toMatchObject({ 'ratelimit-remaining': '10', 'retry-after': '2' });
    expect(spend(viewerOf('a'), 10).allowed).toBe(true);
  });

  it('refills evenly up to its maximum', () => {
    const { clock, spend } = useClock(600);
    spend(viewerOf('a'), 600);
    clock.ms += 1_500;
    expect(spend(viewerOf('a'), 15)).toMatchObject({ allowed: true, remaining: 0 });
    clock.ms += 3_600_000;
    expect(spend(viewerOf('a'), 0).remaining).toBe(600);
    clock.ms -= 1_000;
    expect(spend(viewerOf('a'), 0).remaining).toBe(600);
  });

  it('is separate for each key', () => {
    const { spend } = useClock(600);
    spend(viewerOf('a'), 600);
    expect(spend(viewerOf('b'), 600).allowed).toBe(true);
    expect(spend(viewerOf('a', 2), 600).allowed).toBe(true);
    expect(spend(viewerOf('a'), 1).allowed).toBe(false);
  });

  it('allows a cost above its maximum if it is full, and is empty afterwards', () => {
    const { spend } = useClock(600);
    expect(spend(viewerOf('a'), 10_000)).toMatchObject({ allowed: true, remaining: 0 });
    const refused = spend(viewerOf('a'), 10_000);
    expect(refused.allowed).toBe(false);
    expect(refused.headers()).toMatchObject({ 'retry-after': '60' });
  });
});

describe('a service with costPerMinute', () => {
  const service = useService({ costPerMinute: 300 });
  const query = '{ viewer { keyName } }';
  const names = ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'];
  const post = (client: Client, body: object, headers: Record<string, string> = {}) =>
    sendRaw(service, client, { headers: { ...json, ...headers }, body: JSON.stringify(body) });

  /** Sends more than the budget allows at once, so that it cannot refill in between. */
  async function flood(client: Client, document: string) {
    const answers = await Promise.all(Array.from({ length: 40 }, () => client.send(document)));
    expect(answers.map(({ status }) => status)).toContain(429);
  }

  it('returns the budget in every response and 429 after it is spent', async () => {
    const client = await service.newTenant();
    const first = await client.send(query);
    expect(names.map((name) => first.headers.get(name))).toEqual([
      '300',
      expect.stringMatching(/^2[45]\d$/),
      expect.stringMatching(/^1\d$/),
    ]);
    await flood(client, query);
    for (const accept of ['application/json', 'application/graphql-response+json']) {
      const refused = await post(client, { query }, { accept });
      expectRequestError(refused, 429, 'RATE_LIMITED');
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(refused.headers.get('ratelimit-limit')).toBe('300');
    }
  });

  it('rejects a request above the rest of the budget before it runs', async () => {
    const client = await service.newTenant();
    const create = (id: string) =>
      `createCustomer(input: { id: "${id}", name: "New", primaryEmail: "a@b.co", address: { city: "x" } }) { __typename }`;
    const mutation = `mutation { a: ${create('C1')} b: ${create('C2')} c: ${create('C3')} }`;
    expectRequestError(await client.send(mutation), 429, 'RATE_LIMITED');
    expect((await client.send('{ customer(id: "C1") { id } }')).data).toEqual({ customer: null });
  });

  it('counts invalid documents', async () => {
    const client = await service.newTenant();
    await flood(client, '{');
    await flood(client, '{ nothing }');
    expectRequestError(await client.send(query), 429, 'RATE_LIMITED');
  });

  it('does not limit other keys of the same and of other tenants', async () => {
    const client = await service.newTenant();
    await flood(client, query);
    const [same, other] = [await service.newKey(client, scopes), await service.newTenant()];
    for (const { send } of [same, other]) expect((await send(query)).status).toBe(200);
  });

  it('returns the budget with the cost if it is requested', async () => {
    const client = await service.newTenant();
    const { text } = await post(client, { query }, { 'graphql-cost': 'report' });
    expect((JSON.parse(text) as Json).extensions.cost).toEqual({
      requestedQueryCost: 52,
      maximumQueryCost: expect.any(Number),
      throttleStatus: { maximumAvailable: 300, currentlyAvailable: expect.any(Number), restoreRate: 5 },
    });
  });
});
