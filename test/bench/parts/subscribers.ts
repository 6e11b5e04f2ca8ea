import { type Bench, type Part, type Row, withServices } from '../bench.ts';
import { accountId } from '../data.ts';
import { cpuUs, type Request, startLoader } from '../measure.ts';
import { isOwn, type Running, start } from '../services.ts';
import { latency, milliseconds, table, whole } from '../tables.ts';
import { ownUpdate } from '../workloads.ts';

const part = 'subscribers';
const subscriberCounts = [0, 1, 100, 500];
const endpointCount = 20;
const rate = 300;
const webhookRate = 50;
const connections = 32;
const query = 'subscription { accountChanged { kind version after account { id name } } }';

interface Delivery {
  delivered: number;
  p50: number;
  p95: number;
  p99: number;
  ended: number;
}

/** Updates whose new name holds the time of sending. */
function writes(): Request[] {
  return Array.from({ length: 1000 }, (_, n) => ({
    path: '/graphql',
    body: JSON.stringify({ query: ownUpdate, variables: { input: { id: accountId(n), name: 'at $NOW' } } }),
  }));
}

type Child = ReturnType<typeof startLoader>;

/** What receives the changes during a measurement, and the events that each change should cause. */
interface Readers {
  result(): Promise<Delivery>;
  perChange: number;
}

/** Opens subscriptions, half of them at each replica. They last for `seconds`. */
async function subscribe(
  child: Child,
  replicas: Running[],
  count: number,
  seconds: number,
): Promise<Readers> {
  const urls = replicas.map(({ url }) => url);
  await child.run<string>({ urls, clients: replicas[0]?.headers[0], query, count, seconds });
  return { result: () => child.next<Delivery>(), perChange: count };
}

async function mutate({ url, headers }: Running, document: string, input: object) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers[0]?.[0] },
    body: JSON.stringify({ query: document, variables: { input } }),
  });
  return response.json();
}

const create = `mutation($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) {
  ... on CreateWebhookEndpointSuccess { webhookEndpoint { nodeId } } ... on Error { message } } }`;
const remove = `mutation($input: DeleteWebhookEndpointInput!) { deleteWebhookEndpoint(input: $input) { __typename } }`;

/** Creates webhook endpoints. They receive changes for `seconds`, and until none are left. */
async function receive(child: Child, service: Running, seconds: number): Promise<Readers> {
  const port = await child.run<number>({ seconds, paths: [] });
  const ids: string[] = [];
  for (let index = 0; index < endpointCount; index += 1) {
    const { data } = await mutate(service, create, { url: `http://127.0.0.1:${port}/${index}` });
    ids.push(data.createWebhookEndpoint.webhookEndpoint.nodeId);
  }
  async function result(): Promise<Delivery> {
    const delivery = await child.next<Delivery>();
    for (const nodeId of ids) await mutate(service, remove, { nodeId });
    return delivery;
  }
  return { result, perChange: endpointCount };
}

/** Writes at a fixed rate, or as fast as possible without one. */
async function measure(bench: Bench, replicas: Running[], readers: Readers | undefined, fixedRate?: number) {
  const { steadySeconds: seconds } = bench.timing;
  const [service] = replicas;
  if (service === undefined) throw new Error('There is no service.');
  const cpu = () => replicas.reduce((total, { pid }) => total + (cpuUs(pid)[0] ?? 0), 0);
  const before = cpu();
  const clients = [{ headers: service.headers[0]?.[0] ?? {}, requests: writes() }];
  const job = { url: service.url, clients, connections, seconds };
  const done = await bench.loader.load(fixedRate === undefined ? job : { ...job, rate: fixedRate });
  const serviceUs = (cpu() - before) / done.requests;
  const delivery = await readers?.result();
  return {
    ...{ perSecond: done.requests / done.seconds, p50: done.p50, p99: done.p99, serviceUs },
    deliveredShare:
      delivery === undefined ? 0 : delivery.delivered / (done.requests * (readers?.perChange ?? 0)),
    ...{ deliveryP50: delivery?.p50 ?? 0, deliveryP95: delivery?.p95 ?? 0, deliveryP99: delivery?.p99 ?? 0 },
    ended: delivery?.ended ?? 0,
  };
}

async function measureService(bench: Bench, first: Running): Promise<Row[]> {
  const { tokens } = await bench.small();
  const database = { name: first.database, url: bench.database.urlOf(first.database), tokens };
  const second = await start(first, database);
  const replicas = [first, second];
  const [follower, receiver] = [startLoader('subscribe.js'), startLoader('receive.js')];
  const clients = [{ headers: first.headers[0]?.[0] ?? {}, requests: writes() }];
  const rows: Row[] = [];
  const add = async (name: string, readers: Readers | undefined, fixedRate?: number) => {
    const figures = await measure(bench, replicas, readers, fixedRate);
    rows.push({ ...{ part, name, column: first.title }, figures });
  };
  try {
    const seconds = bench.timing.warmUpSeconds;
    await bench.loader.load({ url: first.url, clients, connections, seconds, rate });
    const lasting = bench.timing.steadySeconds + 2;
    for (const fixedRate of [rate, undefined]) {
      const load = fixedRate === undefined ? `${connections} connections` : `${fixedRate} writes/s`;
      for (const count of subscriberCounts) {
        const readers = count === 0 ? undefined : await subscribe(follower, replicas, count, lasting);
        await add(`${load}, ${count} subscribers`, readers, fixedRate);
      }
    }
    const name = `${webhookRate} writes/s, ${endpointCount} endpoints`;
    await add(name, await receive(receiver, first, lasting), webhookRate);
  } finally {
    for (const child of [follower, receiver]) child.stop();
    await second.stop();
  }
  return rows;
}

const head = [
  ...['', 'writes/s', 'write p50 / p99, ms', 'service CPU µs per write', 'delivery p50 / p95 / p99, ms'],
  ...['delivered', 'subscriptions ended'],
];

export const subscribersPart: Part = {
  name: part,
  title: 'Subscribers and webhooks',
  async run(bench) {
    const rows: Row[] = [];
    for (const service of bench.services.filter(isOwn)) {
      const measured = await withServices(bench, await bench.small(), [service], ([running]) =>
        running === undefined ? Promise.resolve([]) : measureService(bench, running),
      );
      rows.push(...measured);
    }
    const lines = rows.map(({ name, column, figures }) => {
      const { perSecond = 0, serviceUs = 0, deliveredShare = 0, ended = 0 } = figures;
      const { deliveryP50 = 0, deliveryP95 = 0, deliveryP99 = 0 } = figures;
      const title = bench.isAgainst ? `${name}, ${column}` : name;
      const sent = [title, whole(perSecond), latency(figures), whole(serviceUs)];
      if (deliveryP50 === 0) return [...sent, '', '', ''];
      const delays = [deliveryP50, deliveryP95, deliveryP99].map(milliseconds).join(' / ');
      return [...sent, delays, `${(deliveredShare * 100).toFixed(1)} %`, whole(ended)];
    });
    return { rows, markdown: table(head, lines) };
  },
};
