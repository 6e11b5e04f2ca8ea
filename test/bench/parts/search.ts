import { type Bench, manyAccounts, type Part, type Row, withServices } from '../bench.ts';
import { type Case, compare } from '../compare.ts';
import type { Request } from '../measure.ts';
import { requireEqual } from '../requests.ts';
import { type Running, send } from '../services.ts';
import { comparisonTables, serviceRatios } from '../tables.ts';
import { type Json, limit, postgraphile } from '../workloads.ts';

const part = 'search';
/** A common word takes some services seconds: more connections would take minutes. */
const connectionCountsOf = (searches: Search[]) => (searches.length === 1 ? [1] : [1, 8]);

interface Search {
  search: string;
  tag?: string;
  isByName?: boolean;
}

/** Searches of one kind: the account numbers keep the answers of one kind apart. */
const kinds: { name: string; searches: Search[] }[] = [
  { name: 'common word', searches: [{ search: 'Northwind' }] },
  { name: 'rare word', searches: spread((n) => ({ search: `Account ${n}` })) },
  { name: 'absent word', searches: spread((n) => ({ search: `missing${n}` })) },
  { name: 'common word and a tag', searches: [{ search: 'Northwind', tag: 'tier10' }] },
  { name: 'rare word, by name', searches: spread((n) => ({ search: `Account ${n}`, isByName: true })) },
  { name: 'common word, by name', searches: [{ search: 'Northwind', isByName: true }] },
];

function spread(make: (n: number) => Search): Search[] {
  return Array.from({ length: 200 }, (_, n) => make(100_000 + n * 4001));
}

const document = `query Search($search: String!, $tag: String, $orderBy: AccountOrder) {
  accounts(first: 20, filter: { search: $search, tag: $tag }, orderBy: $orderBy) {
    nodes { id name customer { name } } } }`;
const graphileDocument = `query Search($search: String!, $tag: String, $byName: Boolean) {
  searchAccounts(search: $search, tag: $tag, byName: $byName, first: 20) {
    nodes { id: rowId name customer: tenantCustomer { name } } } }`;

function bodyOf({ dialect }: Running, { search, tag, isByName = false }: Search): Json {
  if (dialect === postgraphile) {
    return { query: graphileDocument, variables: { search, tag, byName: isByName } };
  }
  const variables = { search, tag, orderBy: isByName ? { field: 'NAME', direction: 'ASC' } : undefined };
  return dialect === limit ? variables : { query: document, variables };
}

function requestsOf(service: Running, searches: Search[]): Request[] {
  return searches.map((search) => ({
    path: service.path('W8'),
    body: JSON.stringify(bodyOf(service, search)),
  }));
}

/** A service that cannot answer a search in time is left out of its comparison. */
async function answering(running: Running[], name: string, searches: Search[]): Promise<Running[]> {
  const responses: { title: string; data: Json; service: Running }[] = [];
  const [first] = searches;
  for (const service of first === undefined ? [] : running) {
    const { dialect, title } = service;
    try {
      const data = dialect.read('W8', await send(service, 'W8', bodyOf(service, first as Search)));
      responses.push({ title, data, service });
    } catch (error) {
      console.error(`  ${name}: ${title} fails: ${String(error).slice(0, 300)}`);
    }
  }
  requireEqual(name, responses);
  return responses.map(({ service }) => service);
}

async function measure(bench: Bench, running: Running[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, searches } of kinds) {
    const able = await answering(running, name, searches);
    const entries = able.map((service) => ({
      ...{ column: service.title, service, requests: requestsOf(service, searches) },
    }));
    const cases: Case[] = connectionCountsOf(searches).map((connections) => ({
      ...{ name, connections, entries },
      mayFail: true,
    }));
    rows.push(...(await compare(bench, part, cases)));
    console.error(`  ${name} is done.`);
  }
  return rows;
}

export const searchPart: Part = {
  name: part,
  title: `Search at ${manyAccounts.toLocaleString('en-US')} accounts`,
  async run(bench) {
    const template = await bench.million();
    const rows = await withServices(
      bench,
      template,
      bench.services,
      (running) => measure(bench, running),
      true,
    );
    const titles = bench.services.map(({ title }) => title);
    return { rows, markdown: comparisonTables(rows, serviceRatios(titles, bench.isAgainst)) };
  },
};
