import { accounts, type Bench, type Part, withServices } from '../bench.ts';
import { type Case, compare } from '../compare.ts';
import { accountId } from '../data.ts';
import type { Request } from '../measure.ts';
import { requireEqual } from '../requests.ts';
import { isOwn, type Running, send } from '../services.ts';
import { comparisonTables, type Ratio, serviceRatios } from '../tables.ts';
import { type Json, ownAccount, variablesOf } from '../workloads.ts';

const part = 'rest';
const connectionCountsOf = ({ isQuick }: Bench) => (isQuick ? [32] : [1, 32]);

const graphql = (query: string, variables: Json): Request => ({
  path: '/graphql',
  body: JSON.stringify({ query, variables }),
});

const mutation = (name: string) => {
  const type = `${name[0]?.toUpperCase()}${name.slice(1)}`;
  return `mutation ($input: ${type}Input!) { ${name}(input: $input) {
    ... on ${type}Success { account { ${ownAccount} } } ... on Error { code message } } }`;
};

const rename = (n: number) => ({ name: `Account renamed $NEW ${n}` });

/** The same operation over GraphQL and over REST. Both return the whole account. */
const operations: { name: string; graphql(): Request[]; rest(): Request[] }[] = [
  {
    name: 'read an account',
    graphql: () =>
      variablesOf('W2', accounts).map((variables) =>
        graphql(`query ($id: ID!) { account(id: $id) { ${ownAccount} } }`, variables),
      ),
    rest: () => variablesOf('W2', accounts).map(({ id }) => ({ method: 'GET', path: `/accounts/${id}` })),
  },
  {
    name: 'update an account',
    graphql: () =>
      indexes().map((n) => graphql(mutation('updateAccount'), { input: { id: accountId(n), ...rename(n) } })),
    rest: () =>
      indexes().map((n) => ({
        method: 'PATCH',
        path: `/accounts/${accountId(n)}`,
        body: JSON.stringify(rename(n)),
      })),
  },
  {
    name: 'create an account',
    graphql: () =>
      variablesOf('W1', accounts).map((variables) => graphql(mutation('createAccount'), variables)),
    rest: () =>
      variablesOf('W1', accounts).map(({ input }) => ({ path: '/accounts', body: JSON.stringify(input) })),
  },
];

const indexes = () => Array.from({ length: 1000 }, (_, n) => n);

function casesOf(bench: Bench, running: Running[]): Case[] {
  const columnOf = (way: string, { title }: Running) => (bench.isAgainst ? `${way}, ${title}` : way);
  return operations.flatMap(({ name, ...ways }) =>
    connectionCountsOf(bench).map((connections) => ({
      ...{ name, connections },
      entries: running.flatMap((service) => [
        { column: columnOf('GraphQL', service), service, requests: ways.graphql() },
        { column: columnOf('REST', service), service, requests: ways.rest() },
      ]),
    })),
  );
}

/** @throws if REST and GraphQL return different values of an account. */
async function check(service: Running): Promise<void> {
  const id = accountId(13);
  const response = await fetch(`${service.url}/accounts/${id}`, { headers: service.headers[0]?.[0] ?? {} });
  const rest = await response.json();
  const query = `{ account(id: "${id}") { id name status invoiceCurrency netTermDays primaryEmail } }`;
  const { account } = await send(service, 'W2', { query });
  const data = Object.fromEntries(Object.keys(account).map((key) => [key, rest[key]]));
  requireEqual(`GET /accounts/${id}`, [
    { title: 'GraphQL', data: account },
    { title: 'REST', data },
  ]);
}

export const restPart: Part = {
  name: part,
  title: 'REST beside GraphQL',
  async run(bench) {
    const services = bench.services.filter(isOwn);
    const rows = await withServices(bench, await bench.small(), services, async (running) => {
      for (const one of running) await check(one);
      return compare(bench, part, casesOf(bench, running));
    });
    const titles = services.map(({ title }) => title);
    const ratios: Ratio[] = bench.isAgainst
      ? ['GraphQL', 'REST'].flatMap((way) =>
          serviceRatios(
            titles.map((title) => `${way}, ${title}`),
            true,
          ).map((ratio) => ({
            ...ratio,
            title: `${way} ratio`,
          })),
        )
      : [{ title: 'REST to GraphQL', of: 'REST', to: ['GraphQL'] }];
    return { rows, markdown: comparisonTables(rows, ratios) };
  },
};
