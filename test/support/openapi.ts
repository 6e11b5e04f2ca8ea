import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { expect } from 'vitest';
import type { Json, Service } from './service.ts';

/** Checks REST responses against the OpenAPI document of the service. */
export interface Contract {
  document: Json;
  /** Fails unless the document has this response for the call. */
  check(method: string, path: string, status: number, body: unknown): void;
}

const anywhere = [404, 405, 413, 415, 500, 503];

function templateOf(document: Json, path: string): string | undefined {
  const parts = path.replace(/\?.*$/, '').split('/');
  return Object.keys(document.paths).find((template) => {
    const names = template.split('/');
    return (
      names.length === parts.length && names.every((name, i) => name.startsWith('{') || name === parts[i])
    );
  });
}

export async function readContract(service: Service): Promise<Contract> {
  const response = await service.fetch(new Request('http://localhost/openapi.json'));
  const document = (await response.json()) as Json;
  const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { 'idn-email': true } });
  formats.default(ajv);
  ajv.addSchema(document, 'openapi');
  const known = new Map<string, ValidateFunction>();

  function validate(pointer: string, body: unknown): void {
    const rule = known.get(pointer) ?? ajv.compile({ $ref: `openapi#${pointer}` });
    known.set(pointer, rule);
    rule(body);
    expect({ pointer, body, problems: rule.errors ?? [] }).toEqual({ pointer, body, problems: [] });
  }
  return {
    document,
    check(method, path, status, body) {
      const template = templateOf(document, path);
      const answers = document.paths[template ?? '']?.[method.toLowerCase()]?.responses;
      const schema = answers?.[status]?.content?.['application/json']?.schema;
      if (schema === undefined) {
        expect(anywhere, `${method} ${path} answered ${status}`).toContain(status);
        return validate('/components/schemas/Error', body);
      }
      const at = template
        ?.replaceAll('~', '~0')
        .replaceAll('/', '~1')
        .replaceAll('{', '%7B')
        .replaceAll('}', '%7D');
      validate(
        `/paths/${at}/${method.toLowerCase()}/responses/${status}/content/application~1json/schema`,
        body,
      );
    },
  };
}
