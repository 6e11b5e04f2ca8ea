// Holds subscriptions in a process of its own and measures how long changes take to arrive.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const markStart = '"after":{"name":"at ';

/** Opens a subscription. Calls `onChange` with the time of sending that the new name holds. */
function subscribe(url, headers, query, onChange) {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify({ query });
  const lines = Object.entries({
    ...{ host, 'content-type': 'application/json', accept: 'text/event-stream', ...headers },
    'content-length': Buffer.byteLength(body),
  });
  socket.write(`POST /graphql HTTP/1.1\r\n${lines.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n${body}`);
  let rest = '';
  const opened = new Promise((resolve, reject) => {
    socket.once('data', (chunk) => {
      const text = chunk.latin1Slice();
      if (text.startsWith('HTTP/1.1 200')) resolve();
      else reject(new Error(text));
    });
  });
  socket.on('data', (chunk) => {
    rest += chunk.latin1Slice();
    for (;;) {
      const start = rest.indexOf(markStart);
      const end = start < 0 ? -1 : rest.indexOf('"', start + markStart.length);
      if (end < 0) break;
      onChange(Number(rest.slice(start + markStart.length, end)));
      rest = rest.slice(end);
    }
    // A mark may be cut in two: keep its possible start.
    if (!rest.includes(markStart)) rest = rest.slice(-markStart.length);
  });
  let isOpen = true;
  const closed = () => {
    isOpen = false;
  };
  socket.on('close', closed);
  socket.on('error', closed);
  return { opened, isOpen: () => isOpen, close: () => socket.destroy() };
}

const percentile = (sorted, share) => sorted[Math.floor(sorted.length * share)] ?? 0;

async function run({ urls, clients, query, count, seconds }) {
  const delays = [];
  const onChange = (sent) => delays.push(performance.timeOrigin + performance.now() - sent);
  const all = Array.from({ length: count }, (_, index) =>
    subscribe(urls[index % urls.length], clients[(index >> 1) % clients.length], query, onChange),
  );
  await Promise.all(all.map(({ opened }) => opened));
  console.log('"open"');
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  await wait(seconds * 1000);
  // Late changes count: wait until none has arrived for a second.
  for (let seen = -1; seen < delays.length; await wait(1000)) seen = delays.length;
  const ended = all.filter(({ isOpen }) => !isOpen()).length;
  for (const one of all) one.close();
  const sorted = delays.toSorted((a, b) => a - b);
  return {
    ...{ delivered: sorted.length, ended, p50: percentile(sorted, 0.5) },
    ...{ p95: percentile(sorted, 0.95), p99: percentile(sorted, 0.99) },
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line))));
}
