import { Writable } from 'node:stream';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { pino } from 'pino';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTracing } from '../../src/observe/trace.ts';
import { accountInput, createCustomer } from '../support/fixtures.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const exporter = new InMemorySpanExporter();
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
const tracing = createTracing(provider.getTracer('test'));
const logged: Json[] = [];
const log = pino(
  { mixin: tracing.ids },
  new Writable({
    write(line: Buffer, _, done) {
      logged.push(JSON.parse(line.toString()));
      done();
    },
  }),
);
const service = useService({ tracing, log });
let client: Client;

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const callersSpan = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${callersSpan}-01`;
const email = 'secret@person.example';

beforeAll(async () => {
  client = await service.newTenant();
  await createCustomer(client);
});
beforeEach(() => exporter.reset());

/** Returns the spans of a trace, each as the path of span names to it. */
function treeOf(id: string): string[] {
  const spans = exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === id);
  const byId = new Map(spans.map((span) => [span.spanContext().spanId, span]));
  const pathOf = (span: (typeof spans)[number]): string => {
    const above = byId.get(span.parentSpanContext?.spanId ?? '');
    return above === undefined ? span.name : `${pathOf(above)} > ${span.name}`;
  };
  return spans.map(pathOf).sort();
}

const spanNamed = (name: string) => exporter.getFinishedSpans().find((span) => span.name === name);

const create = `mutation Create($input: CreateAccountInput!) {
  createAccount(input: $input) { ... on CreateAccountSuccess { account { aliases { value } } } ... on Error { code } } }`;

describe('a traced service', () => {
  it('continues the trace of its caller with spans for the request, the operation and the statements', async () => {
    const document = 'query Read { account(id: "A0") { name } accounts { nodes { customer { name } } } }';
    await client.send(document, {}, { traceparent });
    const tree = treeOf(traceId);
    expect(tree).toEqual(expect.arrayContaining(['POST /graphql', 'POST /graphql > query Read']));
    const statements = tree.filter((path) => path.startsWith('POST /graphql > query Read > '));
    expect(statements.map((path) => path.split(' > ').at(-1))).toContainEqual(
      expect.stringMatching(/^accounts_by_keys/),
    );
    expect(statements.length).toBeGreaterThanOrEqual(2);
    const request = spanNamed('POST /graphql');
    expect(request?.parentSpanContext?.spanId).toBe(callersSpan);
    expect(request?.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.response.status_code': 200,
    });
    expect(spanNamed('query Read')?.attributes).toEqual({
      'graphql.operation.type': 'query',
      'graphql.operation.name': 'Read',
    });
  });

  it('names statements and contains no value of a request, not even in errors', async () => {
    const input = accountInput({ id: email, primaryEmail: email, aliases: [`a-${email}`], name: 'Secret' });
    await client.send(create, { input }, { traceparent });
    // The database rejects the same id, and its error contains it.
    const { data } = await client.send(create, { input }, { traceparent });
    expect(data.createAccount.code).toBe('ID_TAKEN');
    const url = `http://localhost/graphql?query=${encodeURIComponent(`{ account(id: "${email}") { name } }`)}`;
    const headers = { authorization: `Bearer ${client.token}`, traceparent };
    expect((await service.fetch(new Request(url, { headers }))).status).toBe(200);
    await service.fetch(new Request(`http://localhost/accounts/${email}`, { headers }));
    const spans = exporter.getFinishedSpans();
    const told = JSON.stringify(
      spans.map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
    );
    expect(told).toContain('"db.query.summary":"create_accounts"');
    expect(told).toContain('"error.type":"23505"');
    for (const value of [email, 'person', 'Secret', client.token]) expect(told).not.toContain(value);
  });

  it('starts a trace if the caller sends none or an invalid header', async () => {
    for (const headers of [{}, { traceparent: 'garbage' }]) {
      exporter.reset();
      await client.send('{ customer(id: "C1") { name } }', {}, headers);
      const id = spanNamed('POST /graphql')?.spanContext().traceId ?? '';
      expect(treeOf(id)).toHaveLength(exporter.getFinishedSpans().length);
      expect(treeOf(id).at(-1)).toMatch(/^POST \/graphql > query > \w+$/);
    }
  });

  it('records nothing if the caller does not sample the trace', async () => {
    await client.send('{ viewer { keyName } }', {}, { traceparent: `00-${traceId}-${callersSpan}-00` });
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  it('adds error codes to spans and the trace id to log lines', async () => {
    const reader = await service.newKey(client, ['customers:read']);
    await reader.send('query Refused { account(id: "A1") { name } }', {}, { traceparent });
    expect(spanNamed('query Refused')?.attributes['graphql.error.codes']).toEqual(['FORBIDDEN']);
    await service.database.orm.execute('alter table changes rename to changes_gone');
    const document = 'query Broken { customer(id: "C1") { history { nodes { version } } } }';
    const { errors } = await client.send(document, {}, { traceparent });
    await service.database.orm.execute('alter table changes_gone rename to changes');
    expect(spanNamed('query Broken')).toMatchObject({
      attributes: { 'graphql.error.codes': ['INTERNAL_SERVER_ERROR'] },
      status: { code: 2 },
    });
    const { requestId } = errors[0].extensions;
    expect(logged).toEqual([expect.objectContaining({ requestId, traceId })]);
  });
});
