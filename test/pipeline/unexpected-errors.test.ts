import { Writable } from 'node:stream';
import { pino } from 'pino';
import { beforeAll, expect, it } from 'vitest';
import { createAccount, createCustomer } from '../support/fixtures.ts';
import { json, sendRaw } from '../support/http.ts';
import { expectNoInternals } from '../support/refusal.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const logged: Json[] = [];
const log = pino(
  new Writable({
    write(line: Buffer, _, done) {
      logged.push(JSON.parse(line.toString()));
      done();
    },
  }),
);
const service = useService({ log });
let client: Client;

beforeAll(async () => {
  client = await service.newTenant();
  await createCustomer(client);
  await createAccount(client, { id: 'A1' });
  await service.database.orm.execute('alter table changes rename to changes_gone');
});

const history = 'history(first: 1) { nodes { version } }';

it.each([
  ['a single body', `{ account(id: "A1") { ${history} } }`, '', 'application/json'],
  ['a single body with a trace', `{ account(id: "A1") { ${history} } }`, 'ftv1', 'application/json'],
  ['incremental', `{ account(id: "A1") { id ... @defer { ${history} } } }`, '', 'multipart/mixed'],
])(
  'masks an unexpected error in a response that is %s and logs it with the request id',
  async (_, query, trace, accept) => {
    const headers = { authorization: `Bearer ${client.token}`, ...json, accept };
    const response = await service.fetch(
      new Request('http://localhost/graphql', {
        method: 'POST',
        headers: trace === '' ? headers : { ...headers, 'apollo-federation-include-trace': trace },
        body: JSON.stringify({ query }),
      }),
    );
    const requestId = response.headers.get('x-request-id');
    const text = await response.text();
    expect(text).toContain('"code":"INTERNAL_SERVER_ERROR"');
    expect(text).toContain(`"requestId":"${requestId}"`);
    const [, times = ''] = /"ftv1":"(.*?)"/.exec(text) ?? [];
    const readable = Buffer.from(times, 'base64').toString('latin1');
    expect(readable.includes('Internal error')).toBe(trace === 'ftv1');
    // Base64 text may contain any short word by chance.
    const shown = [text.replace(times, ''), ...(readable.match(/[ -~]{4,}/g) ?? [])];
    for (const one of shown) expectNoInternals({ data: one, errors: undefined });
    const lines = logged.filter((line) => line.requestId === requestId);
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(lines[0].err)).toContain('changes');
  },
);

it('returns the time of every field only to a gateway that requests it', async () => {
  const body = JSON.stringify({ query: '{ account(id: "A1") { name } }' });
  const times = async (headers: object) => {
    const { text } = await sendRaw(service, client, { headers: { ...json, ...headers }, body });
    const { data, extensions } = JSON.parse(text) as Json;
    expect(data.account).toEqual({ name: expect.any(String) });
    return extensions?.ftv1;
  };
  const ftv1 = await times({ 'apollo-federation-include-trace': 'ftv1' });
  const trace = Buffer.from(ftv1, 'base64').toString('latin1');
  for (const name of ['account', 'Query', 'name', 'Account']) expect(trace).toContain(name);
  expect(await times({})).toBeUndefined();
  expect(await times({ 'apollo-federation-include-trace': 'ftv2' })).toBeUndefined();
});
