import { Trace } from '@apollo/usage-reporting-protobuf';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../db/processes.ts';
import { type CollectedSpan, startCollector } from '../support/otlp-collector.ts';
import { startApollo } from './apollo.ts';
import { startHive } from './hive.ts';
import { type Json, post, useSubgraphs } from './support.ts';

/** Started when this file is loaded, because the service needs its URL at the start. */
const collector = await startCollector();
const subgraphs = useSubgraphs({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
let caller: Awaited<ReturnType<typeof subgraphs.newTenant>>;

beforeAll(async () => {
  caller = await subgraphs.newTenant();
  const input = {
    id: 'C',
    name: 'Customer',
    primaryEmail: 'a@b.co',
    address: { city: 'x' },
    account: { id: 'A', name: 'Main' },
  };
  const create = `mutation($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename } }`;
  const { data } = await caller.ask(subgraphs.urls.accounts, create, { input });
  expect(data.createCustomer.__typename).toBe('CreateCustomerSuccess');
});
afterAll(() => collector.close());

/** Returns the spans from the root of a trace to a span. */
function pathTo(span: CollectedSpan): CollectedSpan[] {
  const above = collector.spans.find(({ spanId }) => spanId === span.parentSpanId);
  return above === undefined ? [span] : [...pathTo(above), span];
}

it('connects the spans of Hive Gateway and the service in one trace, down to the statements', async () => {
  const gateway = await startHive({ supergraph: subgraphs.supergraph(), collector: collector.url });
  const query = 'query Traced { account(id: "A") { name invoices { nodes { id } } } }';
  const { data } = await caller.ask(gateway.url, query);
  expect(data.account.name).toBe('Main');
  const statement = () => collector.spans.find(({ name }) => name.startsWith('accounts_by_keys'));
  await until(
    async () =>
      statement() !== undefined && collector.spans.some(({ service }) => service !== 'accountgraph'),
    30_000,
  );
  await gateway.close();
  const path = pathTo(statement() as CollectedSpan);
  expect(new Set(path.map(({ traceId }) => traceId)).size).toBe(1);
  const services = path.map(({ service }) => service);
  expect(path.slice(services.indexOf('accountgraph')).map(({ name }) => name)).toEqual([
    'POST /graphql',
    expect.stringContaining('query'),
    expect.stringContaining('accounts_by_keys'),
  ]);
  const ofGateway = path.slice(0, services.indexOf('accountgraph'));
  expect(ofGateway.map(({ service }) => service)).not.toContain('accountgraph');
  expect(ofGateway.length).toBeGreaterThan(1);
});

interface PlanNode {
  fetch?: { serviceName: string; trace: { root: TraceNode } };
  sequence?: { nodes: PlanNode[] };
  parallel?: { nodes: PlanNode[] };
  flatten?: { node: PlanNode };
}

interface TraceNode {
  responseName: string;
  endTime: number;
  child: TraceNode[];
}

const fetchesOf = ({ fetch, sequence, parallel, flatten }: PlanNode): NonNullable<PlanNode['fetch']>[] => [
  ...(fetch ? [fetch] : []),
  ...[...(sequence?.nodes ?? []), ...(parallel?.nodes ?? []), ...(flatten ? [flatten.node] : [])].flatMap(
    fetchesOf,
  ),
];
const fieldsOf = ({ responseName, child }: TraceNode): string[] => [responseName, ...child.flatMap(fieldsOf)];

it('adds the field timings of the service to the trace of Apollo Gateway', async () => {
  const gateway = await startApollo(subgraphs.supergraph());
  const query = '{ invoices { nodes { id } } account(id: "A") { name customer { billingAddress } } }';
  const headers = { authorization: `Bearer ${caller.token}`, 'apollo-federation-include-trace': 'ftv1' };
  const { data, extensions } = await post(gateway.url, { query }, headers);
  await gateway.close();
  expect(data.account.name).toBe('Main');
  const trace: Json = Trace.toObject(Trace.decode(Buffer.from(extensions.ftv1, 'base64')), { arrays: true });
  const fetches = fetchesOf(trace.queryPlan);
  expect(fetches.map(({ serviceName }) => serviceName).toSorted()).toEqual(['accounts', 'billing']);
  const ours = fetches.find(({ serviceName }) => serviceName === 'accounts');
  const fields = ours === undefined ? [] : fieldsOf(ours.trace.root);
  expect(fields).toEqual(expect.arrayContaining(['account', 'name', 'customer', 'billingAddress']));
});
