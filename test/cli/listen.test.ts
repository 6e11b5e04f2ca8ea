import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../db/processes.ts';
import { type Received, useReceiver } from '../support/webhook-receiver.ts';
import { answerOf, ask, type Ended, type Running, sentenceOf, usePrograms } from './program.ts';

const programs = usePrograms();
const receiver = useReceiver();
let service: Running;
let env: Record<string, string>;
beforeAll(async () => {
  env = { DATA_DIR: programs.path('data'), WEBHOOK_PRIVATE_TARGETS: 'true' };
  service = await programs.serve(env);
}, 120_000);

async function run(document: string, variables: object = {}) {
  const { body } = await ask(service.url, service.token, document, variables);
  expect(body.errors).toBeUndefined();
  expect(JSON.stringify(body.data)).not.toContain('Error"');
  return body.data;
}

const customerFields = 'primaryEmail: "a@b.com", address: { country: "US" }';

/** Creates a customer with an account of the same id, whose changes one test causes. */
function createAccount(id: string) {
  return run(`mutation {
    createCustomer(input: { id: "${id}", name: "Customer", ${customerFields} }) { __typename }
    createAccount(input: { id: "${id}", name: "Account", customerId: "${id}" }) { __typename } }`);
}

const rename = (id: string, name: string) =>
  run('mutation($input: UpdateAccountInput!) { updateAccount(input: $input) { __typename } }', {
    input: { id, name },
  });

async function latestPosition(): Promise<string> {
  return (await run('{ changes { latestPosition } }')).changes.latestPosition;
}

/** Starts `accountgraph listen` and waits until it forwards. */
async function listen(path: string, args: string[] = [], more: Record<string, string> = {}) {
  const given = { ACCOUNTGRAPH_TOKEN: service.token ?? '', ...more };
  const target = path.startsWith('http') ? path : receiver.url(path);
  const program = programs.open(['listen', '--forward-to', target, '--url', service.url, ...args], given);
  await until(async () => {
    if (program.child.exitCode !== null) throw new Error((await program.ended).stderr);
    return program.output.stdout.includes('Public key: ');
  });
  const secret = /^Secret: (whsec_\S+)$/m.exec(program.output.stdout)?.[1] ?? '';
  const stop = (signal: NodeJS.Signals) => {
    program.child.kill(signal);
    return program.ended;
  };
  return { ...program, secret, stop };
}

/** Returns the lines for the changes of an entity. */
const linesOf = ({ stdout }: Pick<Ended, 'stdout'>, id: string): string[] =>
  stdout.split('\n').filter((line) => line.split('\t')[1] === id);

const positionIn = ({ stdout }: Ended): string => / --after (\S+)\n$/.exec(stdout)?.[1] ?? '';

const versionsOf = (path: string, accountId: string): number[] =>
  receiver
    .received(path)
    .filter(({ body }) => body.data.accountId === accountId)
    .map(({ body }) => body.data.sequence);

const arrived = (path: string, count: number) =>
  until(async () => receiver.received(path).length >= count && receiver.received(path));

const refusedToken =
  'The service refuses the token (UNAUTHENTICATED). Set --token or ACCOUNTGRAPH_TOKEN to a valid API key.';

/** Returns the parts of a request that an endpoint and `listen` must have in common. */
const contentOf = ({ headers, text }: Received) => ({ id: headers['webhook-id'], text });

describe('listen', { timeout: 120_000 }, () => {
  it('forwards changes in order, with the bodies and signatures of an endpoint', async () => {
    await createAccount('L1');
    const created = await run(
      'mutation($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) { __typename } }',
      { input: { url: receiver.url('endpoint'), customerId: 'L1' } },
    );
    expect(created.createWebhookEndpoint.__typename).toBe('CreateWebhookEndpointSuccess');
    const program = await listen('forwarded');
    await rename('L1', 'Zwölf "Boxen" 🎁');
    await run(`mutation { addAliases(input: { accountId: "L1", aliases: ["l-1"] }) { __typename } }`);
    await run(
      `mutation { updateCustomer(input: { id: "L1", metadata: { plan: "pro", seats: "2" } }) { __typename } }`,
    );
    for (let round = 0; round < 20; round += 1) await rename('L1', `Round ${round}`);
    const forwarded = await arrived('forwarded', 23);
    for (const { headers, text } of forwarded) new Webhook(program.secret).verify(text, headers);
    expect(forwarded[0]?.headers['webhook-signature']).toMatch(/^v1,\S+ v1a,\S+$/);
    const sequence = forwarded.map(({ body }) => [body.type, body.data.sequence]);
    expect(sequence.slice(0, 4)).toEqual([
      ['account.updated', 2],
      ['account.aliases_added', 3],
      ['customer.updated', 2],
      ['account.updated', 4],
    ]);
    expect(versionsOf('forwarded', 'L1')).toEqual(Array.from({ length: 22 }, (_, index) => index + 2));
    const byId = (one: Received, other: Received) => contentOf(one).text.localeCompare(contentOf(other).text);
    expect(forwarded.toSorted(byId).map(contentOf)).toEqual(
      (await arrived('endpoint', 23)).toSorted(byId).map(contentOf),
    );
    const { code, stdout, stderr } = await program.stop('SIGINT');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(linesOf({ stdout }, 'L1').slice(0, 3)).toEqual([
      'account.updated\tL1\tversion 2\t204',
      'account.aliases_added\tL1\tversion 3\t204',
      'customer.updated\tL1\tversion 2\t204',
    ]);
  });

  it('continues after a restart of the service without a gap or a repeat', async () => {
    await createAccount('L2');
    const program = await listen('restarted');
    await rename('L2', 'Before');
    await arrived('restarted', 1);
    await service.stop('SIGTERM');
    await until(async () => program.output.stderr.includes('Connecting again in'));
    service = await programs.serve({ ...env, PORT: new URL(service.url).port });
    for (const name of ['One', 'Two', 'Three']) await rename('L2', name);
    await arrived('restarted', 4);
    await until(async () => program.output.stderr.endsWith('Connected again.\n'));
    await rename('L2', 'After');
    await arrived('restarted', 5);
    expect(versionsOf('restarted', 'L2')).toEqual([2, 3, 4, 5, 6]);
    expect(await program.stop('SIGTERM')).toMatchObject({ code: 0 });
  });

  it('prints where to continue when it is stopped, and continues there', async () => {
    await createAccount('L3');
    const first = await listen('first', ['--after', await latestPosition()]);
    await rename('L3', 'One');
    await arrived('first', 1);
    await until(async () => linesOf(first.output, 'L3').length === 1);
    const ended = await first.stop('SIGINT');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    for (const name of ['Two', 'Three']) await rename('L3', name);
    const second = await listen('second', ['--after', positionIn(ended)]);
    await rename('L3', 'Four');
    await arrived('second', 3);
    expect(versionsOf('second', 'L3')).toEqual([3, 4, 5]);
    expect(await second.stop('SIGINT')).toMatchObject({ code: 0 });
    expect(positionIn(await second.ended)).toBe(await latestPosition());
  });

  it('reports a failed request and goes on with the next change', async () => {
    await createAccount('L4');
    const { port, open } = await closedServer();
    const program = await listen(`http://localhost:${port}/webhooks`);
    await rename('L4', 'Receiver is down');
    await until(async () => linesOf(program.output, 'L4').length === 1);
    const server = await open();
    await rename('L4', 'Receiver fails');
    await until(async () => linesOf(program.output, 'L4').length === 2);
    expect(linesOf(program.output, 'L4')).toEqual([
      'account.updated\tL4\tversion 2\tConnection refused',
      'account.updated\tL4\tversion 3\t500',
    ]);
    expect(positionIn(await program.stop('SIGINT'))).toBe(await latestPosition());
    server.close();
  });

  it('cuts a request that runs when it is stopped, and repeats its change later', async () => {
    await createAccount('L5');
    const start = await latestPosition();
    receiver.reply('slow', () => new Promise(() => undefined));
    const program = await listen('slow');
    await rename('L5', 'Slow');
    await arrived('slow', 1);
    const ended = await program.stop('SIGINT');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect([linesOf(ended, 'L5'), positionIn(ended)]).toEqual([[], start]);
  });

  it.each(['--secret', 'ACCOUNTGRAPH_WEBHOOK_SECRET'])('signs with the secret of %s', async (source) => {
    const secret = `whsec_${Buffer.alloc(32, source).toString('base64')}`;
    const isOption = source.startsWith('--');
    const program = await listen(
      source,
      isOption ? [source, secret] : [],
      isOption ? {} : { [source]: secret },
    );
    await createAccount(`L6${source}`);
    const [request] = await arrived(source, 1);
    expect(program.secret).toBe(secret);
    new Webhook(secret).verify(request?.text ?? '', request?.headers ?? {});
    await program.stop('SIGINT');
  });

  it('ends when its key is revoked, and prints where to continue', async () => {
    const create = ['keys', 'create', '--tenant', 'demo', '--name', 'short'];
    const printed = answerOf(await programs.run(create, env));
    const [, id = '', token = ''] = /the key (key_\w+)\..*\n(agk_\S+)$/.exec(printed) ?? [];
    const program = await listen('revoked', ['--token', token]);
    answerOf(await programs.run(['keys', 'revoke', id], env));
    const ended = await program.ended;
    expect(ended).toMatchObject({ code: 1, stderr: `${refusedToken}\n` });
    expect(positionIn(ended)).toBe(await latestPosition());
  });

  it.each([
    [['--token', 'agk_wrong'], 1, refusedToken],
    [['--after', 'wrong'], 1, /^The service refuses the request \(BAD_REQUEST\): after must be a position /],
    [
      ['--after', 'AAAAAAADiMp9Iqi__rk'],
      1,
      /\(BAD_REQUEST\): after is not a position in the feed of your tenant/,
    ],
    [['--url', 'http://127.0.0.1:9/graphql'], 3, /is unreachable: .* Start the service, or set --url\.$/],
    [['--secret', 'whsec_short'], 2, /^The secret must be whsec_ and 24 to 64 bytes in base64\./],
    [['--forward-to', 'localhost:3000'], 2, /^The option --forward-to must be an https or http URL\.$/],
    [['--url', 'ws://127.0.0.1:4000'], 2, /^The option --url must be an https or http URL\.$/],
    [['--token', ''], 2, /^The token is missing\. Set --token or ACCOUNTGRAPH_TOKEN /],
  ])('rejects %j in one sentence with exit code %d', async (args, code, sentence) => {
    const given = ['listen', '--forward-to', receiver.url('none'), '--url', service.url];
    const token = { ACCOUNTGRAPH_TOKEN: service.token ?? '' };
    const said = sentenceOf(await programs.run([...given, ...args], token), code);
    expect(said).toMatch(sentence);
  });

  it('rejects a key without the scopes, and a URL that is not GraphQL', async () => {
    const create = ['keys', 'create', '--tenant', 'demo', '--name', 'some', '--scopes', 'accounts:read'];
    const token =
      answerOf(await programs.run(create, env))
        .split('\n')
        .at(-1) ?? '';
    const given = ['listen', '--forward-to', receiver.url('none'), '--token'];
    expect(sentenceOf(await programs.run([...given, token, '--url', service.url], {}))).toBe(
      'The service refuses the request (FORBIDDEN): Your token lacks the scope `customers:read`. Use a key that has it.',
    );
    const other = new URL('/nothing', service.url).href;
    expect(sentenceOf(await programs.run([...given, token, '--url', other], {}))).toBe(
      `${other} returned status 404 without a GraphQL result. Set --url to the GraphQL URL of the service.`,
    );
  });
});

/** Returns a free port, and a function that opens a server there that answers 500. */
async function closedServer(): Promise<{ port: number; open(): Promise<Server> }> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(500).end();
  });
  await once(server.listen(0, 'localhost'), 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const open = async () => {
    await once(server.listen(port, 'localhost'), 'listening');
    return server;
  };
  return { port, open };
}
