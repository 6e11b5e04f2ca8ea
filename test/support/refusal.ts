import { expect } from 'vitest';
import type { Answer, Client, Json } from './service.ts';

const internals =
  /node_modules|\.ts\b|\.js\b|\n\s+at |\bselect\b.*\bfrom\b|insert into|\bpostgres|drizzle|zod|pothos|\bsql\b|pg_|_pkey|_check\b|varchar|constraint|relation|tenant_id|\/(work|tmp|home|root|usr)\//i;

/** Fails if a response contains a stack, SQL, a path or a message of a library. */
export function expectNoInternals({ data, errors }: Pick<Answer, 'data' | 'errors'>): void {
  expect(JSON.stringify({ data, errors })).not.toMatch(internals);
}

/** Fails unless a response has this status, this code in every error, and no data. */
export function expectRequestError(answer: Answer, status: number, code: string): void {
  const { errors = [], headers } = answer;
  expect({ status: answer.status, codes: [...new Set(errors.map(codeOf))], data: answer.data }).toEqual({
    status,
    codes: [code],
    data: undefined,
  });
  for (const { message, extensions } of errors) {
    expect(message).toMatch(/\S/);
    expect(extensions.requestId).toBe(headers.get('x-request-id'));
  }
  expect(headers.get('content-type')).toMatch(/^application\/(graphql-response\+)?json/);
  expectNoInternals(answer);
}

function codeOf(error: Json): string {
  return error.extensions?.code;
}

/** Returns the issues of an InvalidInputError without their messages, which must continue the name of a field. */
export function issuesOf(result: Json): { path: string[]; code: string }[] {
  expect(result).toMatchObject({ __typename: 'InvalidInputError', code: 'INVALID_INPUT' });
  return result.issues.map(({ path, code, message }: Json) => {
    expect(message).toMatch(/^(must|is|has|repeats|names|cannot) /);
    return { path, code };
  });
}

/** Fails unless the service still responds to this client. */
export async function expectAlive(client: Client): Promise<void> {
  const { status, data } = await client.send('{ viewer { keyName } }');
  expect({ status, data }).toEqual({ status: 200, data: { viewer: { keyName: 'test' } } });
}
