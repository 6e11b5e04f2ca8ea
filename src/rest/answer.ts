import type { Context } from 'hono';
import { type Refusal, restCodes } from './errors.ts';
import { z } from './zod.ts';

export const maxMessageLength = 500;

export const ErrorAnswer = z
  .strictObject({
    message: z
      .string()
      .max(maxMessageLength)
      .describe('What is wrong and how to mend it, a sentence for people.'),
  })
  .describe('Why a request was refused; nothing was written. The header `X-Error-Code` says it for programs.')
  .openapi('Error');

export const Success = z
  .strictObject({ success: z.literal(true).describe('Always true: what is not done is an error.') })
  .describe('It is done.')
  .openapi('Success');

export const errorCodeHeader = {
  'X-Error-Code': {
    description: 'What kind of refusal it is, for programs.',
    schema: { type: 'string' as const, enum: Object.keys(restCodes) },
  },
};

/** The message in as many characters as the clients take. */
function shortened(message: string): string {
  const characters = [...message];
  if (characters.length <= maxMessageLength) return message;
  return `${characters.slice(0, maxMessageLength - 1).join('')}…`;
}

/** Answers with a refusal. */
export function refuse(c: Context, { status, code, message, headers }: Refusal): Response {
  return c.json({ message: shortened(message) }, status, { ...headers, 'x-error-code': code });
}

type Present<T> = { [key in keyof T]?: NonNullable<T[key]> };

function isAbsent(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  return typeof value === 'object' && !(value instanceof Date) && Object.keys(value).length === 0;
}

/** The fields that hold something: what is null or empty is left out, for the clients refuse null. */
export function present<T extends object>(fields: T): Present<T> {
  const entries = Object.entries(fields).filter(([, value]) => !isAbsent(value));
  return Object.fromEntries(entries) as Present<T>;
}
