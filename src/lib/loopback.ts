import { isIPv4 } from 'node:net';

/** Whether a host is this machine, reached over no network. Names other than `localhost` may lead elsewhere. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
