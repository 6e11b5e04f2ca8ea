import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBilling } from './billing/server.ts';
import { compose, subgraphsAt } from './compose.ts';
import { startHive } from './hive.ts';
import type { Listening } from './listen.ts';
import { launch } from './processes.ts';

const root = join(import.meta.dirname, '..', '..');

/** Starts the service with a temporary database. */
async function startAccounts(): Promise<Listening & { token: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'accountgraph-supergraph-'));
  const env = {
    PORT: '0',
    HOST: '127.0.0.1',
    NODE_ENV: 'development',
    DATABASE_URL: '',
    DATA_DIR: join(directory, 'data'),
  };
  const program = await launch(
    {
      command: process.execPath,
      args: ['--disallow-code-generation-from-strings', '--import', 'tsx', 'src/main.ts'],
      cwd: root,
      env,
    },
    (output) => /Bearer agk_.*\n/.test(output),
  );
  return {
    url: /^ +GraphQL +(\S+)$/m.exec(program.output())?.[1] ?? '',
    token: /Bearer (agk_[\w-]+)/.exec(program.output())?.[1] ?? '',
    async close() {
      await program.stop();
      await rm(directory, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

/** An account of the customer of the demo tenant. */
const account = {
  id: 'ACC00001',
  name: 'Primary Account',
  customerId: 'C1234qwd',
  aliases: ['acme_primary'],
};

const example = `mutation Example($account: CreateAccountInput!, $usage: RecordUsageInput!, $invoice: IssueInvoiceInput!) {
  createAccount(input: $account) { __typename }
  recordUsage(input: $usage) { __typename }
  issueInvoice(input: $invoice) { __typename }
}`;

const joined = `{ recentUsage(first: 1) { meter quantity account { alias account { name customer { name } } } } account(id: "${account.id}") { name usage { meter quantity } customer { name invoiced { currency amount } } } }`;

async function createExample(gatewayUrl: string, token: string): Promise<void> {
  const variables = {
    account,
    usage: { alias: account.aliases[0], meter: 'api_calls', quantity: 1200 },
    invoice: { accountId: account.id, amount: 4900 },
  };
  const response = await fetch(gatewayUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: example, variables }),
  });
  const { errors } = (await response.json()) as { errors?: { message: string }[] };
  if (errors !== undefined) throw new Error(errors.map(({ message }) => message).join('\n'));
}

/** Starts everything in order. Closes the started parts in reverse, also if a later start fails. */
async function start(started: Listening[]): Promise<void> {
  const accounts = await startAccounts();
  started.push(accounts);
  const billing = await startBilling(accounts.url);
  started.push(billing);
  const supergraph = compose(await subgraphsAt({ accounts: accounts.url, billing: billing.url }));
  const gateway = await startHive({ supergraph, port: Number(process.env.PORT ?? 4000) });
  started.push(gateway);
  await createExample(gateway.url, accounts.token);
  const body = JSON.stringify({ query: joined });
  console.log(
    [
      'The supergraph is ready.',
      `  Gateway   ${gateway.url} (its explorer, in a browser)`,
      `  accounts  ${accounts.url}`,
      `  billing   ${billing.url}`,
      '  Try it:',
      `curl -s ${gateway.url} -H 'Authorization: Bearer ${accounts.token}' -H 'Content-Type: application/json' -d '${body}'`,
    ].join('\n'),
  );
}

const started: Listening[] = [];
let closing: Promise<void> | undefined;

function close(): Promise<void> {
  closing ??= (async () => {
    for (const one of started.toReversed()) await one.close();
  })();
  return closing;
}

const starting = start(started);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => void starting.catch(() => undefined).then(close));
await starting.catch(async (error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
  await close();
});
