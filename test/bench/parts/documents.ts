import { type Bench, type Part, withServices } from '../bench.ts';
import { type Case, compare } from '../compare.ts';
import type { Request } from '../measure.ts';
import { requestsOf, requireEqual } from '../requests.ts';
import { type Running, send } from '../services.ts';
import { comparisonTables, serviceRatios } from '../tables.ts';
import { type Json, type SelectionField, selectionFields } from '../workloads.ts';

const part = 'documents';
const selections = 60;
const connectionCountsOf = ({ isQuick }: Bench) => (isQuick ? [32] : [1, 32]);
const fieldNames = Object.keys(selectionFields) as SelectionField[];

/** The fields of a selection: those whose bit is set in a number that visits different subsets. */
function fieldsOf(selection: number): SelectionField[] {
  const bits = (selection * 37 + 5) % 2 ** fieldNames.length;
  return fieldNames.filter((_, bit) => (bits >> bit) & 1);
}

/** Replaces the selection of the account in the document of W2. */
function withSelection({ dialect }: Running, selection: number, { query, variables }: Json): Json {
  const idField = query.includes('rowId:') ? 'id: rowId' : 'id';
  const fields = fieldsOf(selection).map((field) => dialect.fields?.[field]);
  const head = /^[^{]*\{[^{]*\{/.exec(query)?.[0];
  return { query: `${head} ${[idField, 'name', ...fields].join(' ')} } }`, variables };
}

function changed(requests: Request[], change: (body: Json, index: number) => Json): Request[] {
  return requests.map(({ path, body = '' }, index) => ({
    path,
    body: JSON.stringify(change(JSON.parse(body), index)),
  }));
}

const ways: { name: string; change(service: Running): (body: Json, index: number) => Json }[] = [
  { name: 'one document', change: () => (body) => body },
  {
    name: `${selections} selections`,
    change: (service) => (body, index) => withSelection(service, index % selections, body),
  },
  {
    name: 'a new document for every request',
    change: () => (body) => ({ ...body, query: body.query.replace('query Account', 'query Account_$NEW') }),
  },
];

async function check(running: Running[]): Promise<void> {
  for (const selection of Array.from({ length: selections }, (_, index) => index)) {
    const responses: { title: string; data: Json }[] = [];
    for (const service of running) {
      const [request] = requestsOf(service, 'W2');
      const body = withSelection(service, selection, JSON.parse(request?.body ?? ''));
      const data = service.dialect.read('W2', await send(service, 'W2', body));
      responses.push({ title: service.title, data });
    }
    requireEqual(`selection ${selection}`, responses);
  }
}

function casesOf(bench: Bench, running: Running[]): Case[] {
  return connectionCountsOf(bench).flatMap((connections) =>
    ways.map(({ name, change }) => ({
      ...{ name, connections },
      entries: running.map((service) => ({
        column: service.title,
        service,
        requests: changed(requestsOf(service, 'W2'), change(service)),
      })),
    })),
  );
}

async function measure(bench: Bench) {
  const services = bench.services.filter(({ dialect }) => dialect.fields !== undefined);
  return withServices(bench, await bench.small(), services, async (running) => {
    await check(running);
    return compare(bench, part, casesOf(bench, running));
  });
}

export const documentsPart: Part = {
  name: part,
  title: 'One document, 60 selections, and a new document for every request',
  async run(bench) {
    const rows = await measure(bench);
    const titles = bench.services.map(({ title }) => title);
    const ratios = serviceRatios(titles, bench.isAgainst).slice(0, 1);
    return { rows, markdown: comparisonTables(rows, ratios) };
  },
};
