import { describe, expect, it } from 'vitest';
import { useRest } from '../support/rest.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);

const calls = [
  'DELETE /accounts/{id}',
  'DELETE /aliases/{alias}',
  'DELETE /customers/{id}',
  'GET /accounts',
  'GET /accounts/{id}',
  'GET /accounts/{id}/account_aliases',
  'GET /aliases',
  'GET /aliases/{alias}',
  'GET /customers',
  'GET /customers/{id}',
  'GET /settings',
  'GET /settings/{id}',
  'PATCH /accounts/{id}',
  'PATCH /customers/{id}',
  'PATCH /settings/{id}',
  'POST /accounts',
  'POST /accounts/{id}/add_aliases',
  'POST /accounts/{id}/remove_aliases',
  'POST /aliases',
  'POST /authenticate',
  'POST /customers',
  'POST /settings',
];

const operations = (): [string, Json][] =>
  Object.entries(rest.contract.document.paths as Json).flatMap(([path, methods]) =>
    Object.entries(methods as Json).map(([method, one]): [string, Json] => [
      `${method.toUpperCase()} ${path}`,
      one,
    ]),
  );

/** Returns the named properties of a schema, each with its path. */
function propertiesIn(schema: Json, at: string): [string, Json][] {
  if (typeof schema !== 'object' || schema === null) return [];
  const own = Object.entries<Json>(schema.properties ?? {});
  return [
    ...own.map(([name, one]): [string, Json] => [`${at}.${name}`, one]),
    ...own.flatMap(([name, one]) => propertiesIn(one, `${at}.${name}`)),
    ...propertiesIn(schema.items, `${at}[]`),
  ];
}

describe('the OpenAPI document', () => {
  it('has version 3.1 and every call', () => {
    expect(rest.contract.document.openapi).toBe('3.1.0');
    expect(
      operations()
        .map(([name]) => name)
        .toSorted(),
    ).toEqual(calls);
  });

  it('describes every call with its security, parameters and responses', () => {
    const ids = new Set(operations().map(([, { operationId }]) => operationId));
    expect(ids.size).toBe(calls.length);
    for (const [name, { summary, description, security, responses, parameters = [] }] of operations()) {
      expect(summary, name).toMatch(/\S/);
      expect(description.length, name).toBeGreaterThan(summary.length);
      expect(security, name).toEqual([{ bearer: [] }]);
      expect(Object.keys(responses), name).toEqual(expect.arrayContaining(['400', '401', '403', '404']));
      for (const parameter of parameters)
        expect(parameter.description, `${name} ${parameter.name}`).toMatch(/\S/);
      const isWrite = !name.startsWith('GET') && name !== 'POST /authenticate';
      const headers = parameters.filter((one: Json) => one.in === 'header').map((one: Json) => one.name);
      expect(headers, name).toEqual(isWrite ? ['Idempotency-Key'] : []);
    }
  });

  it('describes every schema and every property', () => {
    const schemas = Object.entries<Json>(rest.contract.document.components.schemas);
    const described = ({ description, $ref, allOf }: Json) => Boolean(description ?? $ref ?? allOf);
    const bare = schemas.flatMap(([name, schema]) => [
      [name, schema] as [string, Json],
      ...propertiesIn(schema, name),
    ]);
    expect(bare.filter(([, one]) => !described(one)).map(([at]) => at)).toEqual([]);
  });

  it('contains the limits of the rules', () => {
    const { schemas } = rest.contract.document.components;
    const { properties, additionalProperties, required } = schemas.CreateAccountRequest;
    expect(additionalProperties).toBe(false);
    expect(required.toSorted()).toEqual(['customerId', 'id', 'name']);
    expect(properties).toMatchObject({
      id: { minLength: 1, maxLength: 50 },
      name: { minLength: 1, maxLength: 255 },
      netTermDays: { minimum: 0, maximum: 365 },
      aliases: { maxItems: 10 },
      accountAliases: { maxItems: 10, items: { properties: { effectiveFrom: { format: 'date-time' } } } },
      settings: { maxItems: 10 },
      tags: { maxItems: 50 },
    });
    expect(schemas.Account.properties.aliases.maxItems).toBe(10);
    expect(schemas.Error).toMatchObject({ required: ['message'], additionalProperties: false });
  });

  it('contains the limits of metadata, currencies, lists and page sizes', () => {
    const { CreateAccountRequest, CreateAliasesRequest } = rest.contract.document.components.schemas;
    expect(CreateAccountRequest.properties).toMatchObject({
      metadata: { maxProperties: 50, propertyNames: { minLength: 1, maxLength: 40 } },
      invoiceCurrency: { minLength: 3, maxLength: 3 },
      aliases: { uniqueItems: true },
      accountAliases: { items: { properties: { effectiveFrom: { type: ['string', 'null'] } } } },
    });
    expect(CreateAliasesRequest.properties.aliases).toMatchObject({ minItems: 1, maxItems: 100 });
    const lists = operations().flatMap(([, { parameters = [] }]) =>
      parameters.filter(({ name }: Json) => name === 'pageSize'),
    );
    expect(lists).toHaveLength(5);
    for (const { schema } of lists)
      expect(schema).toMatchObject({ type: 'integer', minimum: 1, maximum: 100 });
  });

  it('does not offer ARCHIVED in request bodies', () => {
    const bodies = Object.entries<Json>(rest.contract.document.components.schemas).filter(([name]) =>
      name.includes('Request'),
    );
    const statuses = bodies.flatMap(([, schema]) => {
      const named = propertiesIn(schema, '').filter(([path]) => path.endsWith('.status'));
      return named.map(([, { enum: values }]) => values.filter(Boolean));
    });
    expect(statuses).toEqual([
      ['DRAFT', 'ACTIVE'],
      ['DRAFT', 'ACTIVE'],
      ['DRAFT', 'ACTIVE'],
    ]);
  });

  it('documents 405, 413, 415 and other errors', () => {
    for (const [name, { responses, requestBody }] of operations()) {
      const statuses = Object.keys(responses);
      expect(statuses, name).toEqual(expect.arrayContaining(['405', 'default']));
      expect(statuses.includes('413') && statuses.includes('415'), name).toBe(requestBody !== undefined);
    }
  });

  it('describes its tags and names a contact', () => {
    const { tags, info } = rest.contract.document;
    const used = operations().flatMap(([, one]) => one.tags);
    expect(tags.map(({ name }: Json) => name)).toEqual([...new Set(used)].toSorted());
    for (const { description } of tags) expect(description).toMatch(/\S/);
    expect(info.contact.name).toMatch(/\S/);
  });

  it('explains deletes and group details', () => {
    const of = (call: string) => operations().find(([name]) => name === call)?.[1];
    expect(of('DELETE /accounts/{id}').description).toContain('It keeps its settings');
    const group = of('GET /accounts/{id}').parameters.find((one: Json) => one.name === 'includeGroupDetails');
    expect(group.description).toContain('have no invoice groups');
    expect(of('PATCH /settings/{id}').description).toContain('To delete a setting');
  });

  it('is public and returns 304 for a matching ETag', async () => {
    const first = await service.fetch(new Request('http://localhost/openapi.json'));
    const etag = first.headers.get('etag') ?? '';
    const headers = { 'if-none-match': etag };
    const again = await service.fetch(new Request('http://localhost/openapi.json', { headers }));
    expect({ status: again.status, body: await again.text() }).toEqual({ status: 304, body: '' });
  });
});

describe('the reference page', () => {
  const get = (path: string, headers = {}) =>
    service.fetch(new Request(`http://localhost${path}`, { headers }));

  it('loads only its own files and forbids others', async () => {
    const page = await get('/docs');
    const html = await page.text();
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    const needed = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
    expect(needed).toHaveLength(4);
    for (const path of needed) expect((await get(`/${path}`)).status, path).toBe(200);
    expect(html).not.toMatch(/<script(?! src)|https?:/);
  });

  it('is compressed and returns 304 for a matching ETag', async () => {
    const bundle = '/docs/swagger-ui-bundle.js';
    const zipped = await get(bundle, { 'accept-encoding': 'gzip, br' });
    expect(zipped.headers.get('content-encoding')).toBe('gzip');
    expect((await zipped.arrayBuffer()).byteLength).toBeLessThan(600_000);
    const again = await get(bundle, { 'if-none-match': zipped.headers.get('etag') ?? '' });
    expect(again.status).toBe(304);
  });
});
