import { expect, it } from 'vitest';
import { until } from '../db/processes.ts';
import { startCollector } from '../support/collector.ts';
import { ask, usePrograms } from './program.ts';

const programs = usePrograms();
const query = '{ customer(id: "C1234qwd") { name } }';

it('sends spans to the collector it is given, those of the last requests when it stops', async () => {
  const collector = await startCollector();
  const running = await programs.serve({
    DATA_DIR: programs.path('data'),
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=abc',
  });
  const { body } = await ask(running.url, running.token, query);
  expect(body.data.customer.name).toBe('Acme Enterprise');
  expect(await running.stop('SIGTERM')).toMatchObject({ code: 0, stderr: '' });
  await collector.close();
  const spans = collector.spans.filter(({ service }) => service === 'accountgraph');
  const names = spans.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['POST /graphql', 'query', 'customers_by_keys']));
  expect(collector.headers[0]).toMatchObject({ 'x-api-key': 'abc' });
});

it('serves without its collector, and says that spans were lost', async () => {
  const collector = await startCollector();
  await collector.close();
  const running = await programs.serve({
    DATA_DIR: programs.path('data'),
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  });
  const { body } = await ask(running.url, running.token, query);
  expect(body.data.customer.name).toBe('Acme Enterprise');
  let stderr = '';
  running.child.stderr?.on('data', (text: string) => {
    stderr += text;
  });
  await until(async () => stderr.includes('Exporting spans failed'), 30_000);
  expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
});
