import type { MiddlewareHandler } from 'hono';
import type { Ctx } from '../ctx.ts';
import { z } from './zod.ts';

/**
 * Returns whether a name means or ever meant something in the tenant of the request: archived rows, ended aliases and
 * removed settings count. `spaced` is what the name is read as if it never existed.
 */
export type Existed = (ctx: Ctx, literal: string, spaced: string) => Promise<boolean>;

/** A name in a path with pluses that are not encoded, which can stand for spaces. */
export interface PlusName {
  /** The parts between the pluses, percent-decoded: the name as it was sent. */
  parts: string[];
  /** What the name can mean: with pluses, and with spaces. */
  readings: [literal: string, spaced: string];
}

interface Parameter {
  name: string;
  rule: z.ZodType;
  existed: Existed;
}

const parameters = new WeakMap<z.ZodType, Parameter>();

/** Makes the schema of a path's parameter, which names something. */
export function nameInPath<Name extends string, Rule extends z.ZodType>(
  name: Name,
  rule: Rule,
  existed: Existed,
) {
  const params = z.object({ [name]: rule } as Record<Name, Rule>);
  parameters.set(params, { name, rule, existed });
  return params;
}

/** Splits a raw path segment at its pluses. One at either end is a plus: no name begins or ends with a space. */
function partsOf(segment: string): string[] | undefined {
  try {
    return segment.split(/(?<=.)\+(?=.)/s).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

interface PathEnv {
  Variables: { ctx: Ctx; plusName?: PlusName };
}

/**
 * Reads the name in a path. A plus is a plus; only if no such name ever existed, pluses that are not encoded are read as
 * spaces, which the Ruby client writes so.
 */
export function readName(path: string, params: z.ZodType | undefined): MiddlewareHandler<PathEnv> {
  const place = path.split('/').findIndex((segment) => segment.startsWith('{'));
  const parameter = params && parameters.get(params);
  if ((place === -1) !== (parameter === undefined))
    throw new Error(`The parameter of ${path} must come from nameInPath.`);
  return async (c, next) => {
    const parts = parameter && partsOf(c.req.path.split('/')[place] ?? '');
    if (parameter === undefined || parts === undefined || parts.length === 1) return next();
    const { name, rule, existed } = parameter;
    const [literal, spaced] = [parts.join('+'), parts.join(' ')];
    // A name that breaks its rule stays as it is, for the validator to refuse.
    if (![literal, spaced].every((reading) => rule.safeParse(reading).success)) return next();
    c.set('plusName', { parts, readings: [literal, spaced] });
    if (await existed(c.var.ctx, literal, spaced)) return next();
    const read: Record<string, string> = { ...c.req.param(), [name]: spaced };
    // The validator reads the parameters here.
    c.req.param = ((key?: string) => (key === undefined ? read : read[key])) as typeof c.req.param;
    return next();
  };
}
