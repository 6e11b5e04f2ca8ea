import { isIPv4 } from 'node:net';

/** Whether a host is the loopback interface. Names other than `localhost` can resolve to another machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
