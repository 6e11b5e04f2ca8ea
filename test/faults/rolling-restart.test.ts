import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, inject, it } from 'vitest';
import { usePostgres } from '../cli/postgres.ts';
import { type Running, usePrograms } from '../cli/program.ts';
import { until } from '../db/processes.ts';
import { templateName } from '../support/global-setup.ts';
import { freePort } from '../support/ports.ts';
import { openTenant, scale } from '../support/writers.ts';

const programs = usePrograms();
const server = usePostgres();
const { rounds } = scale({ rounds: 1 }, { rounds: 5 });

/** Starts haproxy in front of two replicas with a readiness check every half second and without retries. */
async function balance(port: number, replicas: number[]) {
  const file = programs.path('haproxy.cfg');
  const servers = replicas.map(
    (at, index) => `  server s${index} 127.0.0.1:${at} check inter 500ms fall 1 rise 1`,
  );
  await writeFile(
    file,
    `defaults
  mode http
  timeout connect 2s
  timeout client 20s
  timeout server 20s
  timeout check 5s
  retries 0
frontend in
  bind 127.0.0.1:${port}
  default_backend replicas
backend replicas
  balance roundrobin
  option httpchk GET /health/ready
${servers.join('\n')}
`,
  );
  const balancer = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
  await until(async () => (await askOnce(port, '', new Agent())).status !== 0);
  return balancer;
}

async function askOnce(port: number, token: string, agent: Agent): Promise<{ status: number; body: string }> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  try {
    const call = request({ host: '127.0.0.1', port, path: '/graphql', method: 'POST', headers, agent });
    call.end('{"query":"{ viewer { keyName } accounts { totalCount } }"}');
    const [response] = await once(call, 'response');
    return { status: response.statusCode, body: await text(response) };
  } catch (error) {
    return { status: 0, body: String(error) };
  }
}

/** Runs eight clients without a pause. Returns the errors and the number of requests. */
function load(port: number, token: string) {
  const agent = new Agent({ keepAlive: true });
  const failed: unknown[] = [];
  let asked = 0;
  let running = true;
  const clients = Array.from({ length: 8 }, async () => {
    while (running) {
      const answer = await askOnce(port, token, agent);
      asked += 1;
      if (answer.status !== 200 || answer.body.includes('"errors"')) failed.push(answer);
    }
  });
  return async () => {
    running = false;
    await Promise.all(clients);
    agent.destroy();
    return { failed, asked };
  };
}

it('fails no request if two replicas behind haproxy are restarted in turn', {
  timeout: 600_000,
}, async () => {
  const url = await server.create(templateName);
  const tenant = await openTenant({ ...inject('server'), database: new URL(url).pathname.slice(1) });
  const env = { DATABASE_URL: url, LOG_LEVEL: 'silent', NODE_ENV: 'production' };
  const ports = [await freePort(), await freePort()];
  const serve = (port = 0) => programs.serve({ ...env, PORT: String(port) });
  const replicas: Running[] = await Promise.all(ports.map(serve));
  const front = await freePort();
  const balancer = await balance(front, ports);
  const end = load(front, tenant.token);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, replica] of replicas.entries()) {
      expect(await replica.stop('SIGTERM')).toMatchObject({ code: 0 });
      replicas[index] = await serve(ports[index]);
      await until(async () => (await fetch(`http://127.0.0.1:${ports[index]}/health/ready`)).ok);
      // The load balancer must have seen this replica before the other one stops.
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
  const { failed, asked } = await end();
  balancer.kill('SIGKILL');
  console.log(
    `rolling restart: ${rounds} rounds of two replicas, ${asked} requests, ${failed.length} failed`,
  );
  expect(failed).toEqual([]);
  expect(asked).toBeGreaterThan(100);
  await tenant.database.close();
  for (const replica of replicas) await replica.stop('SIGINT');
});
