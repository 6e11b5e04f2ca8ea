// Sends load to services in a process of its own. Reads a job per line and prints its result.
import { createInterface } from 'node:readline';
import { openConnection } from './client.js';

const tooManyRequests = 429;
const unavailable = 503;
const refusalMarks = ['"SERVICE_UNAVAILABLE"', '"TIMEOUT"'].map((mark) => Buffer.from(mark));
const errorMarks = ['"errors":', '"code":', '"result":null'].map((mark) => Buffer.from(mark));

/** Replaces the parts of a request that differ each time it is sent. */
function filled(text, prefix, sent, count) {
  if (!text.includes('$')) return text;
  return text
    .replaceAll('$NEW', `${prefix}_${sent}`)
    .replaceAll('$NOW', String(performance.timeOrigin + performance.now()))
    .replace(/"\$VERSION (\d+)"/, (_, version) => String(Number(version) + Math.floor(sent / count)));
}

/** Returns a function that makes the next request of a client. */
function requestsOf({ headers, requests }, prefix) {
  let sent = 0;
  return () => {
    const { method = 'POST', path, body } = requests[sent % requests.length];
    const fill = (text) => filled(text, prefix, sent, requests.length);
    const request = { method, path: fill(path), headers, body: body === undefined ? undefined : fill(body) };
    sent += 1;
    return request;
  };
}

const hasMark = (body, marks) => marks.some((mark) => body.includes(mark));

function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Counts responses. `begun` is when a request was due, so that waiting for a free connection counts. */
function recorder(start) {
  const samples = [];
  const counts = { refused: 0, failed: 0, firstError: undefined };
  return {
    record(begun, { status, body }) {
      if (status < 200 || status > 299 || hasMark(body, errorMarks)) {
        const isRefused = [tooManyRequests, unavailable].includes(status) || hasMark(body, refusalMarks);
        counts[isRefused ? 'refused' : 'failed'] += 1;
        counts.firstError ??= body.toString('utf8').split('\r\n\r\n').at(-1).slice(0, 600);
      } else samples.push({ at: begun - start, ms: performance.now() - begun });
    },
    result(seconds, windows) {
      const between = ([from, until]) => {
        const some = samples.filter(({ at }) => at >= from * 1000 && at < until * 1000);
        const sorted = some.map(({ ms }) => ms).sort((a, b) => a - b);
        return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: sorted.at(-1) ?? 0 };
      };
      const all = between([0, Number.POSITIVE_INFINITY]);
      return { requests: samples.length, seconds, ...all, ...counts, windows: windows.map(between) };
    },
  };
}

/** Each connection sends its next request when the last one is answered. */
function closedLoop(clients, connections, seconds, record) {
  const deadline = performance.now() + seconds * 1000;
  const run = (connection, next) =>
    new Promise((resolve) => {
      const step = () => {
        const begun = performance.now();
        if (begun >= deadline) return resolve();
        connection.send(next(), (response) => {
          record(begun, response);
          if (response.status === 0) resolve();
          else step();
        });
      };
      step();
    });
  return Promise.all(connections.map((one, index) => run(one, clients[index % clients.length])));
}

/** Requests are due at a fixed rate, whether or not the service keeps up. */
function openLoop(clients, connections, { seconds, rate }, record) {
  const start = performance.now();
  const total = Math.round(seconds * rate);
  const idle = [...connections];
  let due = 0;
  let sent = 0;
  let answered = 0;
  return new Promise((resolve) => {
    const pump = () => {
      due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * rate) + 1);
      while (sent < due && idle.length > 0) {
        // In turns: a server closes a connection that is idle for seconds.
        const connection = idle.shift();
        const begun = start + (sent / rate) * 1000;
        connection.send(clients[sent % clients.length](), (response) => {
          record(begun, response);
          answered += 1;
          if (response.status !== 0) idle.push(connection);
          if (answered === total || idle.length === 0) pump();
        });
        sent += 1;
      }
      if (answered < total && (idle.length > 0 || answered < sent)) return;
      clearInterval(timer);
      resolve();
    };
    const timer = setInterval(pump, 1);
  });
}

async function run(job) {
  const { url, connections: count, seconds, rate, prefix, windows = [] } = job;
  const clients = job.clients.map((client, index) => requestsOf(client, `${prefix}_${index}`));
  const connections = Array.from({ length: count }, () => openConnection(url));
  const start = performance.now();
  const { record, result } = recorder(start);
  if (rate === undefined) await closedLoop(clients, connections, seconds, record);
  else await openLoop(clients, connections, { seconds, rate }, record);
  const took = (performance.now() - start) / 1000;
  for (const connection of connections) connection.close();
  return result(took, windows);
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line))));
}
