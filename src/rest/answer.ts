import type { Context } from 'hono';
import { type Refusal, restCodes } from './errors.ts';
import { z } from './zod.ts';

export const maxMessageLength = 500;

export const ErrorAnswer = z
  .strictObject({
    message: z.string().max(maxMessageLength).describe('What is wrong and how to correct it.'),
  })
  .describe('Why the request failed. The header `X-Error-Code` has a stable code for programs.')
  .openapi('Error');

export const Success = z
  .strictObject({ success: z.literal(true).describe('Always `true`: failures are errors.') })
  .describe('The request succeeded.')
  .openapi('Success');

export const errorCodeHeader = {
  'X-Error-Code': {
    description: 'A stable code for programs.',
    schema: { type: 'string' as const, enum: Object.keys(restCodes) },
  },
};

/** Truncates a message to the length that the origin's clients accept. */
function shortened(message: string): string {
  const characters = [...message];
  if (characters.length <= maxMessageLength) return message;
  return `${characters.slice(0, maxMessageLength - 1).join('')}…`;
}

/** Responds with an error. */
export function refuse(c: Context, { status, code, message, headers }: Refusal): Response {
  return c.json({ message: shortened(message) }, status, { ...headers, 'x-error-code': code });
}

type Present<T> = { [key in keyof T]?: NonNullable<T[key]> };

function isAbsent(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  return typeof value === 'object' && !(value instanceof Date) && Object.keys(value).length === 0;
}

/** Returns the fields without null and empty values, because the origin's clients reject null. */
export function present<T extends object>(fields: T): Present<T> {
  const entries = Object.entries(fields).filter(([, value]) => !isAbsent(value));
  return Object.fromEntries(entries) as Present<T>;
}
