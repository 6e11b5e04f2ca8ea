import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { expect, it, vi } from 'vitest';
import { createLog } from '../../src/observe/log.ts';
import { x } from '../support/field-limits.ts';
import { accountInput, tenantWithCustomer } from '../support/fixtures.ts';
import { json, sendRaw } from '../support/http.ts';
import { sendMutation } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

let text = '';
const stream = new Writable({
  write(line: Buffer, _, done) {
    text += line.toString();
    done();
  },
});
const service = useService({
  log: createLog('trace', undefined, stream),
  costPerMinute: 8000,
  operationTimeoutMs: 1_500,
});

const lines = (): Json[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

const email = 'secret.person@leak.example';
const secrets = {
  primaryEmail: email,
  address: {
    line1: 'Leakstreet 99',
    city: 'Leakville',
    postalCode: 'LEAK-7',
    country: 'US',
    phoneNumber: '+99 777',
  },
  aliases: ['leaky-alias'],
  metadata: { leak: 'leaky-metadata' },
  billingInformation: { emailRecipients: ['recipient@leak.example'] },
  settings: [{ id: 's', namespace: 'n', name: 'Leaky', dataType: 'STRING', value: 'leaky-setting' }],
};
const confidential = /leak|secret|recipient@|agk_|bearer|99 777/i;

/** Sends valid and invalid requests of every kind with confidential values. */
async function sendAll(client: Client): Promise<void> {
  const input = accountInput(secrets);
  const literal = `{ accountByAlias(alias: "${email}") { primaryEmail address { line1 } } }`;
  const raw = (init: object) => sendRaw(service, client, { headers: json, ...init });
  await sendMutation(client, 'createCustomer', {
    id: 'C2',
    name: 'Leaky',
    ...secrets,
    billingInformation: undefined,
    aliases: undefined,
  });
  await sendMutation(client, 'createAccount', input);
  await sendMutation(client, 'createAccount', input);
  await sendMutation(client, 'createAccount', { ...input, id: 'A2' });
  await sendMutation(client, 'createAccount', { ...input, id: 'A3', primaryEmail: `${email}@`, name: '' });
  await sendMutation(client, 'createAccount', { ...input, address: email });
  await client.send(literal);
  await client.send(literal.replace('line1', 'leak'));
  await client.send(literal.replace('}', `"${email}`));
  await client.send('query($leak: Int!) { accounts(first: $leak) { totalCount } }', { leak: email });
  await client.send(`{ accounts(filter: { search: "${email}" }, after: "leaky") { totalCount } }`);
  await client.send(`{ a: ${x(6000)} }`.replaceAll('x', ' leak '));
  await raw({ method: 'GET', path: `/graphql?query=${encodeURIComponent(literal)}` });
  await raw({ method: 'GET', path: `/nothing/${email}?token=${client.token}` });
  await raw({ body: `{"query": "${email}` });
  await raw({ body: JSON.stringify({ query: `{ __typename } #${email}${x(1_000_000)}` }) });
  await raw({ body: email, headers: { 'content-type': 'text/plain' } });
  for (const authorization of [`Bearer ${email}`, `Bearer agk_${'L'.repeat(32)}`, `Basic ${btoa(email)}`]) {
    await raw({ body: JSON.stringify({ query: literal }), headers: { ...json, authorization } });
  }
  await raw({ body: '{"query":"{ __typename }"}', headers: { ...json, 'x-request-id': email } });
}

/** Sends requests that fail because of a broken database. */
async function sendToBrokenDatabase(client: Client): Promise<void> {
  const { orm } = service.database;
  await orm.execute(sql`alter table aliases add constraint broken check (value <> 'leaky-broken')`);
  await sendMutation(
    client,
    'createAccount',
    accountInput({ ...secrets, id: 'B1', aliases: ['leaky-broken'] }),
  );
  await orm.execute(sql`alter table settings rename to settings_gone`);
  await sendMutation(client, 'createAccount', accountInput({ ...secrets, id: 'B2', aliases: [] }));
  await orm.execute(sql`alter table settings_gone rename to settings`);
  await orm.transaction(async (tx) => {
    await tx.execute(sql`lock table accounts in access exclusive mode`);
    await sendMutation(client, 'createAccount', accountInput({ ...secrets, id: 'B3', aliases: [] }));
  });
}

it('contains no token, email, address or other value of a request', async () => {
  const client = await tenantWithCustomer(service);
  await sendAll(client);
  await sendToBrokenDatabase(client);
  const limited = await Promise.all(
    Array.from({ length: 200 }, () => client.send(`{ account(id: "${email}") { primaryEmail } }`)),
  );
  expect(limited.some(({ status }) => status === 429)).toBe(true);
  expect(lines().filter((line) => confidential.test(JSON.stringify(line)))).toEqual([]);
  const codes = new Set(lines().flatMap(({ codes = [] }) => codes));
  expect(codes).not.toContain('undefined');
  for (const code of [
    'UNAUTHENTICATED',
    'BAD_REQUEST',
    'GRAPHQL_PARSE_FAILED',
    'GRAPHQL_VALIDATION_FAILED',
    'PAYLOAD_TOO_LARGE',
    'RATE_LIMITED',
    'TIMEOUT',
    'INTERNAL_SERVER_ERROR',
  ]) {
    expect(codes).toContain(code);
  }
});

it('has a line for each request with its id, key, status and time', async () => {
  const client = await tenantWithCustomer(service);
  const { headers } = await client.send('{ viewer { keyName } }', {}, { 'x-request-id': 'mine-1' });
  expect(headers.get('x-request-id')).toBe('mine-1');
  const own = lines().filter(({ requestId }) => requestId === 'mine-1');
  expect(own).toEqual([
    expect.objectContaining({
      level: 20,
      method: 'POST',
      status: 200,
      tenant: client.tenantId,
      actor: expect.stringMatching(/^key_/),
      codes: [],
      ms: expect.any(Number),
    }),
  ]);
});

it.each([
  ['before its token is looked up', 0],
  ['in the middle', 100],
])('logs a body that breaks off %s as a bad request', async (name, afterMs) => {
  const client = await service.newTenant();
  const requestId = `broken-${afterMs}`;
  const server = createServer(service.listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const head = `POST /graphql HTTP/1.1\r\nhost: localhost\r\nx-request-id: ${requestId}\r\nauthorization: Bearer ${client.token}\r\n`;
  socket.write(`${head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{"query": `);
  await once(server, 'request');
  await sleep(afterMs);
  socket.destroy();
  const own = () => lines().filter((line) => line.requestId === requestId);
  await vi.waitFor(() => expect(own(), name).toHaveLength(1), 5_000);
  expect(own()).toMatchObject([{ level: 20, status: 400, codes: ['BAD_REQUEST'] }]);
  server.close();
});
