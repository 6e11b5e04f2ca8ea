import { type Bench, type Part, type Row, withServices } from '../bench.ts';
import { accountId } from '../data.ts';
import { cpuUs, type Request, startLoader } from '../measure.ts';
import { isOwn, type Running } from '../services.ts';
import { latency, milliseconds, table, whole } from '../tables.ts';
import { ownUpdate } from '../workloads.ts';

const part = 'subscribers';
const subscribers = 100;
const rate = 200;
const connections = 32;
const query = 'subscription { accountChanged { kind version after account { id name } } }';

interface Delivery {
  delivered: number;
  p50: number;
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

type Follower = ReturnType<typeof startLoader>;

/** Opens the subscriptions; they last for `seconds`. */
async function follow(follower: Follower, { url, headers }: Running, seconds: number) {
  const job = { url, clients: headers[0], query, count: subscribers, seconds };
  await follower.run<string>(job);
  return { result: () => follower.next<Delivery>() };
}

/** Writes at a fixed rate, or as fast as possible without one. */
async function measure(bench: Bench, follower: Follower | undefined, service: Running, fixedRate?: number) {
  const { steadySeconds: seconds } = bench.timing;
  const following = follower && (await follow(follower, service, seconds + 2));
  const [before = 0] = cpuUs(service.pid);
  const clients = [{ headers: service.headers[0]?.[0] ?? {}, requests: writes() }];
  const job = { url: service.url, clients, connections, seconds };
  const done = await bench.loader.load(fixedRate === undefined ? job : { ...job, rate: fixedRate });
  const [after = 0] = cpuUs(service.pid);
  const serviceUs = (after - before) / done.requests;
  const delivery = await following?.result();
  return {
    ...{ perSecond: done.requests / done.seconds, p50: done.p50, p99: done.p99, serviceUs },
    deliveredShare: delivery === undefined ? 0 : delivery.delivered / (subscribers * done.requests),
    ...{ deliveryP50: delivery?.p50 ?? 0, deliveryP99: delivery?.p99 ?? 0, ended: delivery?.ended ?? 0 },
  };
}

async function measureService(bench: Bench, follower: Follower, service: Running): Promise<Row[]> {
  const clients = [{ headers: service.headers[0]?.[0] ?? {}, requests: writes() }];
  const seconds = bench.timing.warmUpSeconds;
  await bench.loader.load({ url: service.url, clients, connections, seconds, rate });
  const rows: Row[] = [];
  for (const fixedRate of [rate, undefined]) {
    for (const one of [undefined, follower]) {
      const load = fixedRate === undefined ? `${connections} connections` : `${fixedRate} writes/s`;
      const name = `${load}, ${one === undefined ? 'no' : subscribers} subscribers`;
      rows.push({
        ...{ part, name, column: service.title },
        figures: await measure(bench, one, service, fixedRate),
      });
    }
  }
  return rows;
}

const head = [
  ...['', 'writes/s', 'write p50 / p99, ms', 'service CPU µs per write', 'delivery p50 / p99, ms'],
  ...['delivered', 'subscriptions ended'],
];

export const subscribersPart: Part = {
  name: part,
  title: '100 subscribers',
  async run(bench) {
    const follower = startLoader('subscribe.js');
    const rows: Row[] = [];
    try {
      for (const service of bench.services.filter(isOwn)) {
        const measured = await withServices(bench, await bench.small(), [service], ([running]) =>
          running === undefined ? Promise.resolve([]) : measureService(bench, follower, running),
        );
        rows.push(...measured);
      }
    } finally {
      follower.stop();
    }
    const lines = rows.map(({ name, column, figures }) => {
      const { perSecond = 0, serviceUs = 0, deliveryP50 = 0, deliveryP99 = 0, deliveredShare = 0 } = figures;
      const hasFollowers = deliveryP50 > 0;
      return [
        ...[
          bench.isAgainst ? `${name}, ${column}` : name,
          whole(perSecond),
          latency(figures),
          whole(serviceUs),
        ],
        hasFollowers ? `${milliseconds(deliveryP50)} / ${milliseconds(deliveryP99)}` : '',
        hasFollowers ? `${(deliveredShare * 100).toFixed(1)} %` : '',
        hasFollowers ? whole(figures.ended ?? 0) : '',
      ];
    });
    return { rows, markdown: table(head, lines) };
  },
};
