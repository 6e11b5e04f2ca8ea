import { Writable } from 'node:stream';
import { beforeAll, expect, it } from 'vitest';
import { createLog } from '../../src/observe/log.ts';
import { expectRefusal, type RestClient, useRest } from '../support/rest.ts';
import { type Json, useService } from '../support/service.ts';

const lines: Json[] = [];
const stream = new Writable({
  write(line: Buffer, _, done) {
    lines.push(JSON.parse(line.toString()));
    done();
  },
});
const service = useService({ log: createLog('debug', undefined, stream), costPerMinute: 220 });
const rest = useRest(service);
let client: RestClient;

beforeAll(async () => {
  client = rest.of(await service.newTenant());
});

it('spends the budget of the key and returns 429 after it is spent', async () => {
  const within = await client.get('/accounts');
  expect(within).toMatchObject({ status: 200, body: { data: [] } });
  expect(within.headers.get('ratelimit-limit')).toBe('220');
  await client.graphql.send('{ viewer { keyName } }');
  const beyond = await client.get('/accounts');
  expectRefusal(beyond, 429, 'RATE_LIMITED');
  expect(Number(beyond.headers.get('retry-after'))).toBeGreaterThan(0);
  await expect(
    rest.of(await service.newKey(client.graphql, ['accounts:read'])).get('/accounts'),
  ).resolves.toMatchObject({
    status: 200,
  });
});

it('logs a line for each request without its values', async () => {
  const answer = await client.get('/accounts/leaky%40example.com');
  const requestId = answer.headers.get('x-request-id');
  const [line, ...others] = lines.filter((one) => one.requestId === requestId);
  expect(others).toEqual([]);
  const codes = [answer.headers.get('x-error-code')];
  expect(line).toMatchObject({ method: 'GET', status: answer.status, codes, tenant: expect.any(Number) });
  expect(JSON.stringify(line)).not.toContain('leaky');
});
