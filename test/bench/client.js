// A small HTTP/1.1 client over a raw socket: node:http would use more CPU than some of the services measured.
import { connect } from 'node:net';

const headEnd = Buffer.from('\r\n\r\n');
const lastChunk = Buffer.from('0\r\n\r\n');

/** Returns the length of a complete response at the start of `buffer`, or 0. */
function responseLength(buffer) {
  const end = buffer.indexOf(headEnd);
  if (end < 0) return 0;
  const head = buffer.latin1Slice(0, end).toLowerCase();
  const bodyStart = end + headEnd.length;
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  if (length !== undefined) {
    const total = bodyStart + Number(length);
    return buffer.length >= total ? total : 0;
  }
  return buffer.subarray(-lastChunk.length).equals(lastChunk) ? buffer.length : 0;
}

/** Opens a connection that sends one request at a time. */
export function openConnection(url) {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  let received = Buffer.alloc(0);
  let finish;
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const length = responseLength(received);
    if (length === 0) return;
    const response = received;
    received = Buffer.alloc(0);
    finish({ status: Number(response.latin1Slice(9, 12)), body: response });
  });
  const fail = (error) => finish?.({ status: 0, body: Buffer.from(String(error)) });
  socket.on('error', fail);
  socket.on('close', () => fail('The service closed the connection.'));
  return {
    send({ method, path, headers, body }, done) {
      finish = done;
      const lines = Object.entries({ host, 'content-type': 'application/json', ...headers });
      const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const length = body === undefined ? '' : `content-length: ${Buffer.byteLength(body)}\r\n`;
      socket.write(`${method} ${path} HTTP/1.1\r\n${head}${length}\r\n${body ?? ''}`);
    },
    close() {
      finish = undefined;
      socket.destroy();
    },
  };
}
