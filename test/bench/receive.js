// Receives webhooks in a process of its own and measures how long changes take to arrive.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const markStart = '"name":"at ';
const percentile = (sorted, share) => sorted[Math.floor(sorted.length * share)] ?? 0;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Prints the port of a new server and, when no request has arrived for two seconds, what it has received. */
async function run({ seconds, paths }) {
  const delays = [];
  const server = createServer((request, response) => {
    const arrivedAt = performance.timeOrigin + performance.now();
    let text = '';
    request.on('data', (chunk) => {
      text += chunk.latin1Slice();
    });
    request.on('end', () => {
      const start = text.lastIndexOf(markStart) + markStart.length;
      delays.push(arrivedAt - Number(text.slice(start, text.indexOf('"', start))));
      response.writeHead(paths.includes(request.url) ? 500 : 204).end();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  console.log(server.address().port);
  await wait(seconds * 1000);
  for (let seen = -1; seen < delays.length; await wait(2000)) seen = delays.length;
  server.close().closeAllConnections();
  const sorted = delays.toSorted((a, b) => a - b);
  return {
    delivered: sorted.length,
    p50: percentile(sorted, 0.5),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
    ended: 0,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line))));
}
