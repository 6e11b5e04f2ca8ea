import { mkdir, stat } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { expect, it } from 'vitest';
import { freePort } from '../support/ports.ts';
import { answerOf, ask, type Running, usePrograms } from './program.ts';

const programs = usePrograms();
const production = { NODE_ENV: 'production', DRAIN_DELAY_MS: '0' };
const patience = { timeout: 90_000 };

async function get({ url }: Running, path: string) {
  const response = await fetch(new URL(path, url));
  return { status: response.status, code: response.headers.get('x-error-code'), text: await response.text() };
}

it('creates no demo tenant in production and revokes an earlier demo key', patience, async () => {
  const env = { ...production, DATA_DIR: programs.path('data') };
  const first = await programs.serve(env);
  expect(first.printed).toBe(`accountgraph is ready.\n  GraphQL   ${first.url}\n`);
  await first.stop('SIGTERM');
  expect(answerOf(await programs.run(['tenants', 'list'], env))).toBe('');

  const development = await programs.serve({ DATA_DIR: env.DATA_DIR });
  const { token } = development;
  expect(token).toBeDefined();
  await development.stop('SIGTERM');
  const second = await programs.serve(env);
  expect(second.printed).not.toContain('agk_');
  expect(await ask(second.url, token, '{ viewer { keyName } }')).toMatchObject({ status: 401 });
  await second.stop('SIGTERM');
});

it('closes a data directory that other users can access and logs it', patience, async () => {
  const DATA_DIR = programs.path('open');
  await mkdir(DATA_DIR, { mode: 0o755 });
  const { stop } = await programs.serve({ DATA_DIR });
  expect((await stat(DATA_DIR)).mode & 0o777).toBe(0o700);
  const { stderr } = await stop('SIGTERM');
  expect(JSON.parse(stderr)).toMatchObject({
    level: 40,
    msg: `Other users could access the data directory ${DATA_DIR} (mode 0755). It is now closed.`,
  });
});

it('serves the REST reference in production only with REST_DOCS=true', patience, async () => {
  const env = { ...production, DATA_DIR: programs.path('docs') };
  const hidden = await programs.serve(env);
  for (const path of ['/docs', '/docs/start.js', '/openapi.json', '/nothing']) {
    expect(await get(hidden, path)).toEqual({
      status: 404,
      code: 'UNKNOWN_PATH',
      text: '{"message":"This path does not exist."}',
    });
  }
  await hidden.stop('SIGTERM');
  const shown = await programs.serve({ ...env, REST_DOCS: 'true' });
  expect((await get(shown, '/docs')).status).toBe(200);
  expect((await get(shown, '/openapi.json')).status).toBe(200);
  expect((await get(shown, '/nothing')).text).toContain('/openapi.json');
  await shown.stop('SIGTERM');
});

/** An address of this machine that is not loopback. */
const outerAddress = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address;

it.skipIf(outerAddress === undefined)(
  'serves metrics on loopback unless METRICS_HOST is set',
  patience,
  async () => {
    const METRICS_PORT = String(await freePort());
    const env = { DATA_DIR: programs.path('metrics'), HOST: '0.0.0.0', METRICS_PORT };
    const status = async (host: string | undefined) =>
      fetch(`http://${host}:${METRICS_PORT}/metrics`).then(
        (response) => response.status,
        () => 'refused',
      );
    const closed = await programs.serve(env);
    expect(closed.printed).toContain(`  Metrics   http://127.0.0.1:${METRICS_PORT}/metrics\n`);
    expect([await status('127.0.0.1'), await status(outerAddress)]).toEqual([200, 'refused']);
    await closed.stop('SIGTERM');
    const open = await programs.serve({ ...env, METRICS_HOST: '0.0.0.0' });
    expect([await status('127.0.0.1'), await status(outerAddress)]).toEqual([200, 200]);
    await open.stop('SIGTERM');
  },
);
