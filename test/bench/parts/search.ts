import { type Bench, manyAccounts, type Part, type Row, withServices } from '../bench.ts';
import { type Case, compare } from '../compare.ts';
import { aliasOf, customerId } from '../data.ts';
import type { Request } from '../measure.ts';
import { requireEqual } from '../requests.ts';
import { isOwn, type Running, send } from '../services.ts';
import { comparisonTables, serviceRatios } from '../tables.ts';
import { type Json, limit, postgraphile } from '../workloads.ts';

const part = 'search';
/** A common word takes some services seconds: more connections would take minutes. */
const connectionCountsOf = (searches: Search[]) => (searches.length === 1 ? [1] : [1, 8]);

type Order = 'UPDATED_AT' | 'CREATED_AT' | 'NAME';

interface Search {
  search: string;
  tag?: string;
  /** Default: UPDATED_AT. The peers know it and NAME. */
  order?: Order;
  /** A filter that the peers do not have. */
  filter?: Json;
  /** The page, from 1. */
  page?: number;
}

interface Kind {
  name: string;
  searches: Search[];
  /** Whether the tenant with 1,000 accounts sends it instead of the one with a million. */
  isSmall?: boolean;
}

const common = { search: 'Northwind' };

/** Searches of one kind: the account numbers keep the answers of one kind apart. */
const kinds: Kind[] = [
  { name: 'common word', searches: [common] },
  { name: 'common word, by name', searches: [{ ...common, order: 'NAME' }] },
  { name: 'common word, by creation', searches: [{ ...common, order: 'CREATED_AT' }] },
  { name: 'common word, page 100', searches: [{ ...common, page: 100 }] },
  { name: 'common word and a tag', searches: [{ ...common, tag: 'tier10' }] },
  { name: 'common word of a country', searches: [{ ...common, filter: { country: 'US' } }] },
  { name: 'common word of a country without accounts', searches: [{ ...common, filter: { country: 'FR' } }] },
  { name: 'common word of drafts', searches: [{ ...common, filter: { status: ['DRAFT'] } }] },
  {
    name: 'common word of a customer',
    searches: [{ ...common, filter: { customerId: customerId(50_000) } }],
  },
  { name: 'two common words', searches: [{ search: 'Northwind account' }] },
  { name: 'two words that are nowhere together', searches: [{ search: 'Northwind Globex' }] },
  { name: 'two letters', searches: [{ search: 'no' }] },
  { name: 'two letters that begin no word', searches: [{ search: 'qz' }] },
  { name: 'a Chinese word', searches: [{ search: '日本' }] },
  { name: 'rare word', searches: spread((n) => ({ search: `Account ${n}` })) },
  { name: 'rare word, by name', searches: spread((n) => ({ search: `Account ${n}`, order: 'NAME' })) },
  { name: 'rare alias', searches: spread((n) => ({ search: aliasOf(n) })) },
  { name: 'absent word', searches: spread((n) => ({ search: `missing${n}` })) },
  { name: 'common word of a small tenant', searches: [common], isSmall: true },
  {
    name: 'absent word of a small tenant',
    searches: spread((n) => ({ search: `missing${n}` })),
    isSmall: true,
  },
];

function spread(make: (n: number) => Search): Search[] {
  return Array.from({ length: 200 }, (_, n) => make(100_000 + n * 4001));
}

const document = `query Search($filter: AccountFilter, $orderBy: AccountOrder, $after: String) {
  accounts(first: 20, filter: $filter, orderBy: $orderBy, after: $after) {
    nodes { id name customer { name } } } }`;
const cursorDocument = document.replace('nodes {', 'pageInfo { endCursor } nodes {');
const peerDocument = `query Search($search: String!, $tag: String, $orderBy: AccountOrder) {
  accounts(first: 20, filter: { search: $search, tag: $tag }, orderBy: $orderBy) {
    nodes { id name customer { name } } } }`;
const graphileDocument = `query Search($search: String!, $tag: String, $byName: Boolean) {
  searchAccounts(search: $search, tag: $tag, byName: $byName, first: 20) {
    nodes { id: rowId name customer: tenantCustomer { name } } } }`;

const directions = { UPDATED_AT: 'DESC', CREATED_AT: 'ASC', NAME: 'ASC' };

function ownBody(
  { search, tag, order = 'UPDATED_AT', filter }: Search,
  after?: string,
  query = document,
): Json {
  const orderBy = { field: order, direction: directions[order] };
  return { query, variables: { filter: { search, tag, ...filter }, orderBy, after } };
}

/** Whether a peer can answer a search. */
const isShared = ({ filter, page, order }: Search) =>
  filter === undefined && page === undefined && order !== 'CREATED_AT';

function peerBody({ dialect }: Running, { search, tag, order }: Search): Json {
  const isByName = order === 'NAME';
  if (dialect === postgraphile) {
    return { query: graphileDocument, variables: { search, tag, byName: isByName } };
  }
  const variables = { search, tag, orderBy: isByName ? { field: 'NAME', direction: 'ASC' } : undefined };
  return dialect === limit ? variables : { query: peerDocument, variables };
}

/** Returns the body of a request, after reading the pages before it. */
async function bodyOf(service: Running, search: Search, isSmall: boolean): Promise<Json> {
  if (!isOwn(service)) return peerBody(service, search);
  let after: string | undefined;
  for (let page = 1; page < (search.page ?? 1); page += 1) {
    const read = await send(service, 'W8', ownBody(search, after, cursorDocument), isSmall ? 1 : 0);
    after = read.accounts.pageInfo.endCursor;
  }
  return ownBody(search, after);
}

async function requestsOf(service: Running, { searches, isSmall = false }: Kind): Promise<Request[]> {
  const bodies: string[] = [];
  for (const search of searches) bodies.push(JSON.stringify(await bodyOf(service, search, isSmall)));
  return bodies.map((body) => ({ path: service.path('W8'), body }));
}

/** Returns the services that can answer a search, after a check that they answer alike. */
async function answering(running: Running[], { name, searches, isSmall = false }: Kind): Promise<Running[]> {
  const responses: { title: string; data: Json; service: Running }[] = [];
  const [first] = searches;
  if (first === undefined) return [];
  for (const service of running) {
    const { dialect, title } = service;
    if (!isOwn(service) && (isSmall || !isShared(first))) continue;
    try {
      const data = dialect.read(
        'W8',
        await send(service, 'W8', await bodyOf(service, first, isSmall), isSmall ? 1 : 0),
      );
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
  for (const kind of kinds) {
    const { name, searches, isSmall = false } = kind;
    const able = await answering(running, kind);
    const entries = await Promise.all(
      able.map(async (service) => ({
        ...{ column: service.title, service, requests: await requestsOf(service, kind) },
        ...(isSmall && { tenant: 1 }),
      })),
    );
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
    // These two send the same statements as Mercurius with jit.
    const services = bench.services.filter(({ name }) => !['mercurius', 'apollo'].includes(name));
    const rows = await withServices(bench, template, services, (running) => measure(bench, running), true);
    const titles = services.map(({ title }) => title);
    return { rows, markdown: comparisonTables(rows, serviceRatios(titles, bench.isAgainst)) };
  },
};
