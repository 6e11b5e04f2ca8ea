import type { LookupAddress } from 'node:dns';
import { isIPv6, type LookupFunction } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkTargetUrl, createSender } from '../../src/delivery/sender.ts';
import { openHttps } from './servers.ts';

/** Addresses that are not public, in the form that the URL parser and the DNS lookup give them. */
const denied: [string, string][] = [
  ['loopback', '127.0.0.1'],
  ['all of loopback', '127.255.255.254'],
  ['unspecified', '0.0.0.0'],
  ['this network', '0.1.2.3'],
  ['private 10/8', '10.0.0.1'],
  ['private 172.16/12', '172.31.255.255'],
  ['private 192.168/16', '192.168.1.1'],
  ['link-local, metadata of most clouds', '169.254.169.254'],
  ['carrier-grade NAT', '100.64.0.1'],
  ['carrier-grade NAT, metadata of Alibaba', '100.100.100.200'],
  ['protocol assignments, metadata of Oracle', '192.0.0.192'],
  ['host services of Azure', '168.63.129.16'],
  ['documentation', '192.0.2.1'],
  ['benchmarks', '198.18.0.1'],
  ['6to4 relays', '192.88.99.1'],
  ['multicast', '224.0.0.1'],
  ['reserved', '240.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['IPv6 unspecified', '::'],
  ['IPv6 loopback', '::1'],
  ['IPv4-compatible', '::7f00:1'],
  ['IPv4-mapped', '::ffff:7f00:1'],
  ['IPv4-mapped, public', '::ffff:808:808'],
  ['IPv4-translated', '::ffff:0:7f00:1'],
  ['NAT64', '64:ff9b::7f00:1'],
  ['local NAT64', '64:ff9b:1::7f00:1'],
  ['6to4', '2002:7f00:1::'],
  ['Teredo', '2001::7f00:1'],
  ['IPv6 documentation', '2001:db8::1'],
  ['unique local', 'fc00::1'],
  ['unique local, metadata of AWS', 'fd00:ec2::254'],
  ['IPv6 link-local', 'fe80::1'],
  ['site-local', 'fec0::1'],
  ['IPv6 multicast', 'ff02::1'],
  ['discard', '100::1'],
  ['unassigned IPv6', '4000::1'],
];

/** Other forms of addresses, and the form that the URL parser makes of them. */
const otherForms: [string, string][] = [
  ['2130706433', '127.0.0.1'],
  ['0x7f000001', '127.0.0.1'],
  ['0x7f.1', '127.0.0.1'],
  ['017700000001', '127.0.0.1'],
  ['0177.0.0.01', '127.0.0.1'],
  ['127.1', '127.0.0.1'],
  ['127.0.0.1.', '127.0.0.1'],
  ['0', '0.0.0.0'],
  ['１２７.０.０.１', '127.0.0.1'],
  ['127。0。0。1', '127.0.0.1'],
  ['%31%32%37.0.0.1', '127.0.0.1'],
  ['[::127.0.0.1]', '::7f00:1'],
  ['[::ffff:127.0.0.1]', '::ffff:7f00:1'],
  ['[0:0:0:0:0:ffff:a9fe:a9fe]', '::ffff:a9fe:a9fe'],
  ['[0000:0000:0000:0000:0000:0000:0000:0001]', '::1'],
  ['[64:ff9b::169.254.169.254]', '64:ff9b::a9fe:a9fe'],
];

const publicHosts = [
  '1.1.1.1',
  '9.255.255.255',
  '172.32.0.1',
  '[2606:4700:4700::1111]',
  'hooks.example',
  'a.b',
];

const hostOf = (address: string) => (isIPv6(address) ? `[${address}]` : address);

/** Resolves every name to the given addresses. */
const resolveTo =
  (...addresses: string[]): LookupFunction =>
  (_hostname, { all }, callback) => {
    const found = addresses.map((address): LookupAddress => ({ address, family: isIPv6(address) ? 6 : 4 }));
    if (all) callback(null, found);
    else callback(null, found[0]?.address ?? '', found[0]?.family);
  };

async function errorOf(url: string, lookup?: LookupFunction) {
  const sender = createSender({ allowPrivateTargets: false, timeoutMs: 5000, ...(lookup && { lookup }) });
  onTestFinished(() => sender.close());
  const { status, error } = await sender.send(url, {}, '{}');
  expect(status).toBeNull();
  return error;
}

const notPublicName = 'The host name resolves to an address that is not public';

describe('send to a target that is not public', () => {
  it.each(denied)('refuses an address: %s, %s', async (_, address) => {
    expect(await errorOf(`https://${hostOf(address)}/`)).toBe(`The address ${address} is not public`);
  });

  it.each(otherForms)('refuses an address in another form: %s', async (host, address) => {
    expect(await errorOf(`https://${host}/`)).toBe(`The address ${address} is not public`);
  });

  it.each(denied)('refuses a name of an address: %s, %s', async (_, address) => {
    expect(await errorOf('https://hooks.example/', resolveTo(address))).toBe(notPublicName);
  });

  it('refuses a name with a public and a private address', async () => {
    for (const addresses of [
      ['1.1.1.1', '10.0.0.1'],
      ['10.0.0.1', '1.1.1.1'],
      ['2606:4700:4700::1111', '::1'],
    ]) {
      expect(await errorOf('https://hooks.example/', resolveTo(...addresses))).toBe(notPublicName);
    }
  });

  it('opens no connection', async () => {
    const { port, connections } = await openHttps((_, response) => response.end());
    expect(await errorOf(`https://127.0.0.1:${port}/`)).toBe('The address 127.0.0.1 is not public');
    expect(await errorOf(`https://localhost:${port}/`)).toBe(notPublicName);
    expect(await errorOf(`https://hooks.example:${port}/`, resolveTo('127.0.0.1'))).toBe(notPublicName);
    expect(connections).toHaveLength(0);
  });

  it('checks the addresses of a name again for each connection', async () => {
    const answers = ['127.0.0.1', '::1'];
    const rebinding: LookupFunction = (...args) => resolveTo(answers.shift() ?? '')(...args);
    const sender = createSender({ allowPrivateTargets: false, lookup: rebinding });
    onTestFinished(() => sender.close());
    for (let count = 0; count < 2; count += 1) {
      expect(await sender.send('https://hooks.example/', {}, '{}')).toMatchObject({ error: notPublicName });
    }
    expect(answers).toEqual([]);
  });
});

describe('checkTargetUrl', () => {
  const notPublic = 'must not point to a private address';

  it.each(publicHosts)('accepts %s', (host) => {
    expect(checkTargetUrl(`https://${host}:8443/hook?a=1`, false)).toBeUndefined();
  });

  it.each([...denied.map(([, address]) => hostOf(address)), ...otherForms.map(([host]) => host)])(
    'rejects the address %s unless private targets are allowed',
    (host) => {
      expect(checkTargetUrl(`https://${host}/`, false)).toBe(notPublic);
      expect(checkTargetUrl(`http://${host}/`, true)).toBeUndefined();
    },
  );

  it.each(['localhost', 'LOCALHOST', 'localhost.', 'api.localhost', 'api.localhost.'])(
    'rejects %s',
    (host) => {
      expect(checkTargetUrl(`https://${host}/`, false)).toBe(notPublic);
      expect(checkTargetUrl(`http://${host}/`, true)).toBeUndefined();
    },
  );

  it.each(['http://hooks.example/', 'ftp://hooks.example/', 'hooks.example', '', 'https://', 'https://a b/'])(
    'rejects %j',
    (url) => {
      expect(checkTargetUrl(url, false)).toBe('must be an https URL');
    },
  );

  it('accepts http only if private targets are allowed', () => {
    expect(checkTargetUrl('http://hooks.example/', true)).toBeUndefined();
    expect(checkTargetUrl('ftp://hooks.example/', true)).toBe('must be an https or http URL');
  });

  it.each([' https://a.example/', 'https://a.example/\n', 'https://a.exa\tmple/', 'https://a.example/\0'])(
    'rejects white space and control characters: %j',
    (url) => {
      expect(checkTargetUrl(url, false)).toBe('must be an https URL');
    },
  );

  it('rejects a user name, a password and a fragment', () => {
    const credentials = 'must not contain a user name or password';
    expect(checkTargetUrl('https://alice@a.example/', false)).toBe(credentials);
    expect(checkTargetUrl('https://:secret@a.example/', false)).toBe(credentials);
    expect(checkTargetUrl('https://a.example/#', false)).toBe('must not have a fragment');
    expect(checkTargetUrl('https://a.example/#top', true)).toBe('must not have a fragment');
  });

  it('rejects more than 2000 characters', () => {
    const url = 'https://a.example/'.padEnd(2000, 'x');
    expect(checkTargetUrl(url, false)).toBeUndefined();
    expect(checkTargetUrl(`${url}x`, false)).toBe('must have at most 2000 characters');
  });
});
