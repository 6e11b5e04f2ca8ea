import { serverAudits } from 'graphql-http';
import { beforeAll, describe, expect, it } from 'vitest';
import { useServer } from '../support/http-server.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
const socket = useServer((request, response) => service.listener(request, response));
let client: Client;

beforeAll(async () => {
  client = await service.newTenant();
});

const audits = serverAudits({
  url: () => socket.url,
  fetchFn: (url: string, init: RequestInit = {}) =>
    fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${client.token}` } }),
});

describe('GraphQL over HTTP', () => {
  it('has more than 60 audits', () => {
    expect(audits.length).toBeGreaterThan(60);
  });

  it.each(audits.map((audit) => [audit.id, audit.name, audit] as const))(
    'passes audit %s: %s',
    async (_id, _name, audit) => {
      expect(await audit.fn()).toMatchObject({ status: 'ok' });
    },
  );
});
