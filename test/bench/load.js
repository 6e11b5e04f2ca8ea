// Loads services and says what it measured, a line for each job: a process of its own, so that its cost is nobody's.
import { createInterface } from 'node:readline';
import autocannon from 'autocannon';

async function run({ url, headers, bodies, prefix, connections, seconds }) {
  let sent = 0;
  const setupRequest = (request) => {
    sent += 1;
    const body = bodies[sent % bodies.length].replaceAll('$NEW', `${prefix}-${sent}`);
    return { ...request, body };
  };
  const { latency, requests, duration, non2xx, errors } = await autocannon({
    url,
    connections,
    duration: seconds,
    sampleInt: 100,
    requests: [{ method: 'POST', headers: { 'content-type': 'application/json', ...headers }, setupRequest }],
  });
  const { p50, p99 } = latency;
  return { requests: requests.total, seconds: duration, p50, p99, failed: non2xx + errors };
}

for await (const job of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(job))));
}
