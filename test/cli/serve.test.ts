import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { get, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { exampleAccount } from '../../src/account/rest.ts';
import { processesIn, until } from '../db/processes.ts';
import { answerOf, ask, type Running, sentenceOf, usePrograms } from './program.ts';

const programs = usePrograms();

async function createAccount({ url, token }: Running, id: string): Promise<void> {
  const mutation = `mutation ($input: CreateAccountInput!) {
    createAccount(input: $input) { ... on CreateAccountSuccess { account { id } } ... on Error { message } }
  }`;
  const input = { ...exampleAccount, id, aliases: [`${id}-alias`] };
  const { body } = await ask(url, token, mutation, { input });
  expect(body).toEqual({ data: { createAccount: { account: { id } } } });
}

async function accountName({ url, token }: Running, id: string): Promise<string> {
  const { body } = await ask(url, token, `{ account(id: "${id}") { name } }`);
  return body.data.account.name;
}

async function refusesConnections(url: string): Promise<boolean> {
  return fetch(url).then(
    () => false,
    () => true,
  );
}

/** Sends half a request, and the rest after `meanwhile`. Returns the response. */
async function askSlowly({ url, token }: Running, meanwhile: () => Promise<unknown>): Promise<string> {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    expect: '100-continue',
  };
  const half = request(url, { method: 'POST', headers });
  const answer = new Promise<string>((resolve, reject) => {
    half.on('error', reject);
    half.on('response', (response) => resolve(text(response)));
  });
  half.write('{"query": "{ viewer ');
  await new Promise((resolve) => half.once('continue', resolve));
  await meanwhile();
  half.end('{ keyName } }"}');
  return answer;
}

async function checkFirstStart(running: Running): Promise<void> {
  const { url, printed } = running;
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/graphql$/);
  expect(printed).toContain(`  GraphiQL  ${url} (in a browser)\n`);
  const curl = printed.split('\n').find((line) => line.startsWith('curl ')) ?? '';
  const { stdout } = await promisify(execFile)('sh', ['-c', curl]);
  expect(JSON.parse(stdout)).toEqual({
    data: { viewer: { tenant: { name: 'demo' } }, customer: { name: 'Acme Enterprise' } },
  });
}

/** Returns the GraphiQL page for a `Host` header. */
function pageUnder(host: string, { url }: Running): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { headers: { host, accept: 'text/html' } }, (response) => resolve(text(response))).on(
      'error',
      reject,
    );
  });
}

/** Fails unless connections stay open longer than those of most load balancers, which is a minute. */
async function checkKeptAlive({ url }: Running): Promise<void> {
  const { headers } = await fetch(new URL('/health/live', url));
  expect(headers.get('keep-alive')).toBe('timeout=75');
}

async function checkCommandsBeside({ url }: Running, env: Record<string, string>): Promise<void> {
  expect(answerOf(await programs.run(['tenants', 'create', 'globex', '--currency', 'EUR'], env))).toBe(
    'Created the tenant globex (EUR, 30 days).',
  );
  const created = answerOf(
    await programs.run(['keys', 'create', '--tenant', 'globex', '--name', 'test'], env),
  );
  const [, id = '', token] = /^Created the key (key_\w+)\..*\n(agk_\S+)$/.exec(created) ?? [];
  expect(await ask(url, token, '{ viewer { tenant { name } } }')).toMatchObject({
    status: 200,
    body: { data: { viewer: { tenant: { name: 'globex' } } } },
  });
  expect(answerOf(await programs.run(['keys', 'revoke', id], env))).toBe(`Revoked the key ${id}.`);
  // A revoked key is cached for a few seconds.
  await until(async () => (await ask(url, token, '{ viewer { keyName } }')).status === 401);
  expect(sentenceOf(await programs.run([], env))).toMatch(
    /^The data directory .* is in use by another accountgraph process/,
  );
}

// One data directory in several runs, because each step depends on the previous one.
it('starts in an empty directory, and keeps its data and demo token after every kind of exit', {
  timeout: 120_000,
}, async () => {
  const data = programs.path('data');
  const env = { DATA_DIR: data };
  const first = await programs.serve(env, ['npm', 'start']);
  await checkFirstStart(first);
  await checkKeptAlive(first);
  expect(await pageUnder('localhost:4000', first)).toContain(`Bearer ${first.token}`);
  expect(await pageUnder('elsewhere.example', first)).not.toContain(first.token);
  await checkCommandsBeside(first, env);
  await createAccount(first, 'first');
  expect(await first.stop('SIGTERM')).toMatchObject({ code: 0 });
  expect(await processesIn(data)).toEqual([]);

  expect(answerOf(await programs.run(['tenants', 'list'], env))).toBe(
    'demo\tUSD\t30 days\nglobex\tEUR\t30 days',
  );
  expect(await processesIn(data)).toEqual([]);

  const second = await programs.serve(env);
  expect(second.token).toBe(first.token);
  await createAccount(second, 'second');
  second.child.kill('SIGKILL');
  await until(async () => (await processesIn(data)).length === 0);

  const third = await programs.serve(env);
  for (const id of ['first', 'second']) expect(await accountName(third, id)).toBe(exampleAccount.name);
  const begun = Date.now();
  const slow = await askSlowly(third, async () => {
    third.child.kill('SIGINT');
    await until(() => refusesConnections(third.url));
  });
  expect(JSON.parse(slow)).toEqual({ data: { viewer: { keyName: 'demo' } } });
  expect(await third.ended).toMatchObject({ code: 0, stderr: '' });
  expect(Date.now() - begun).toBeLessThan(5000);
  expect(await processesIn(data)).toEqual([]);

  const open = await programs.serve({ ...env, HOST: '0.0.0.0' });
  expect(open.token).toBeUndefined();
  expect(await ask(open.url, first.token, '{ viewer { keyName } }')).toMatchObject({ status: 401 });
  expect(await open.stop('SIGTERM')).toMatchObject({ code: 0 });
});

it('runs only the documents of its manifest with TRUSTED_DOCUMENTS_ONLY=true', async () => {
  const TRUSTED_DOCUMENTS = programs.path('documents.json');
  await writeFile(TRUSTED_DOCUMENTS, JSON.stringify({ me: '{ viewer { keyName } }' }));
  const env = { DATA_DIR: programs.path('trusted'), TRUSTED_DOCUMENTS, TRUSTED_DOCUMENTS_ONLY: 'true' };
  const { url, token, stop } = await programs.serve(env);
  const send = async (body: object) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    return response.json();
  };
  expect(await send({ documentId: 'me' })).toEqual({ data: { viewer: { keyName: expect.any(String) } } });
  expect(await send({ query: '{ viewer { keyName } }' })).toMatchObject({
    errors: [{ extensions: { code: 'PERSISTED_QUERY_REQUIRED' } }],
  });
  await stop('SIGTERM');
});
