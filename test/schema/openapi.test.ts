import { createConfig, lintFromString } from '@redocly/openapi-core';
import { Spectral } from '@stoplight/spectral-core';
import { oas } from '@stoplight/spectral-rulesets';
import { pino } from 'pino';
import { beforeAll, expect, it } from 'vitest';
import type { RestOptions } from '../../src/rest/route.ts';
import { createRouter } from '../../src/router.ts';

let openapi = '';

beforeAll(async () => {
  // The document needs no other parts of the service.
  const options = { log: pino({ enabled: false }), restDocs: true } as RestOptions;
  const incoming = { complete: true };
  openapi = await (await createRouter(options).request('/openapi.json', {}, { incoming })).text();
});

/** Returns the rules of Redocly that a document breaks. */
async function brokenByRedocly(source: string): Promise<string[]> {
  const config = await createConfig({ extends: ['recommended'] });
  const problems = await lintFromString({ source, absoluteRef: '/openapi.json', config });
  return [...new Set(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`))];
}

/** Returns the rules of Spectral that a document breaks. */
async function brokenBySpectral(source: string): Promise<string[]> {
  const spectral = new Spectral();
  spectral.setRuleset({ extends: [[oas, 'recommended']] } as Parameters<Spectral['setRuleset']>[0]);
  const problems = await spectral.run(JSON.parse(source));
  return [...new Set(problems.map(({ code, message }) => `${code}: ${message}`))];
}

it('passes the recommended rules of Redocly', async () => {
  expect(await brokenByRedocly(openapi)).toEqual([]);
});

it('passes the recommended rules of Spectral', async () => {
  expect(await brokenBySpectral(openapi)).toEqual([]);
});

it.each([
  ['operation-summary', '"summary":"List customers",', ''],
  ['security-defined', '"security":[{"bearer":[]}],', ''],
])('fails the Redocly rule %s if it is broken', async (rule, part, other) => {
  expect(openapi).toContain(part);
  expect(await brokenByRedocly(openapi.replace(part, other))).toContainEqual(expect.stringContaining(rule));
});

it.each([
  ['operation-tag-defined', '"tags":["Customers"]', '"tags":["Other"]'],
  ['operation-operationId', '"operationId":"getCustomers",', ''],
])('fails the Spectral rule %s if it is broken', async (rule, part, other) => {
  expect(openapi).toContain(part);
  expect(await brokenBySpectral(openapi.replace(part, other))).toContainEqual(expect.stringContaining(rule));
});
