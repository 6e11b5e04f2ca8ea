import { expect, it } from 'vitest';
import { freePort } from '../support/ports.ts';
import { ask, sentenceOf, usePrograms } from './program.ts';

const programs = usePrograms();

/** A number by the name and labels that it stands behind. */
function numberOf(text: string, series: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

const requests = (api: string, method: string, status: string) =>
  `http_server_request_duration_seconds_count{api="${api}",method="${method}",status="${status}"}`;

it('shows Prometheus requests, errors and connections, on a port of their own', async () => {
  const port = String(await freePort());
  const env = { DATA_DIR: programs.path('data'), METRICS_PORT: port };
  const { url, token, printed, stop } = await programs.serve(env);
  const metricsUrl = `http://127.0.0.1:${port}/metrics`;
  expect(printed).toContain(`  Metrics   ${metricsUrl}\n`);
  for (let time = 0; time < 3; time += 1) await ask(url, token, '{ customer(id: "C1234qwd") { name } }');
  await ask(url, token, '{ nothing }');
  await ask(url, 'wrong', '{ __typename }');
  await fetch(new URL('/accounts', url), { method: 'POST' });
  await fetch(new URL('/accounts', url), { method: 'PROPFIND' });

  const response = await fetch(metricsUrl);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0.0.4/);
  const text = await response.text();
  expect(numberOf(text, requests('graphql', 'POST', '200'))).toBe(3);
  expect(numberOf(text, requests('graphql', 'POST', '400'))).toBe(1);
  expect(numberOf(text, requests('graphql', 'POST', '401'))).toBe(1);
  expect(numberOf(text, requests('rest', 'POST', '401'))).toBe(1);
  expect(text).toMatch(/\{api="rest",method="other",status="4\d\d"\} 1/);
  expect(numberOf(text, 'graphql_errors_total{code="UNAUTHENTICATED"}')).toBe(1);
  expect(numberOf(text, 'graphql_errors_total{code="GRAPHQL_VALIDATION_FAILED"}')).toBe(1);
  expect(numberOf(text, 'database_connections{state="idle"}')).toBeGreaterThan(0);
  expect(numberOf(text, 'database_connections{state="used"}')).toBe(0);
  expect(numberOf(text, 'database_connections{state="waiting"}')).toBe(0);
  expect(numberOf(text, 'process_resident_memory_bytes')).toBeGreaterThan(0);
  expect((await fetch(new URL('/metrics', url))).status).toBe(404);
  expect(await stop('SIGTERM')).toMatchObject({ code: 0, stderr: '' });

  const taken = programs.run([], { ...env, PORT: port, METRICS_PORT: port });
  expect(sentenceOf(await taken)).toContain(`Port ${port} on 127.0.0.1 is already in use`);
});

it('says which variable chooses another port for metrics', async () => {
  const port = String(await freePort());
  const running = await programs.serve({ DATA_DIR: programs.path('other'), PORT: port });
  const refused = programs.run([], { DATA_DIR: programs.path('third'), METRICS_PORT: port });
  expect(sentenceOf(await refused)).toBe(
    `Port ${port} on 127.0.0.1 is already in use. Stop the other program, or set METRICS_PORT to another port.`,
  );
  await running.stop('SIGINT');
});
