import type { MiddlewareHandler } from 'hono';
import type { Ctx } from '../ctx.ts';
import { z } from './zod.ts';

/**
 * Returns whether a name exists or ever existed in the tenant of the request. Archived rows, ended aliases and removed
 * settings count. `spaced` is how the name is read if it never existed.
 */
export type Existed = (ctx: Ctx, literal: string, spaced: string) => Promise<boolean>;

/** A name in a path with unencoded pluses, which can stand for spaces. */
export interface PlusName {
  /** The percent-decoded parts between the pluses. */
  parts: string[];
  /** The name with pluses, and the name with spaces. */
  readings: [literal: string, spaced: string];
}

interface Parameter {
  name: string;
  rule: z.ZodType;
  existed: Existed;
}

const parameters = new WeakMap<z.ZodType, Parameter>();

/** Creates the schema of a path parameter that is a name. */
export function nameInPath<Name extends string, Rule extends z.ZodType>(
  name: Name,
  rule: Rule,
  existed: Existed,
) {
  const params = z.object({ [name]: rule } as Record<Name, Rule>);
  parameters.set(params, { name, rule, existed });
  return params;
}

/** Splits a raw path segment at its pluses, except at either end: no name begins or ends with a space. */
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
 * Reads the name in a path. Unencoded pluses are pluses. Only if no such name ever existed, they are read as spaces,
 * because the Ruby client encodes spaces as pluses.
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
    // The validator refuses a name that breaks its rule.
    if (![literal, spaced].every((reading) => rule.safeParse(reading).success)) return next();
    c.set('plusName', { parts, readings: [literal, spaced] });
    if (await existed(c.var.ctx, literal, spaced)) return next();
    const read: Record<string, string> = { ...c.req.param(), [name]: spaced };
    // The validator reads the parameters with this method.
    c.req.param = ((key?: string) => (key === undefined ? read : read[key])) as typeof c.req.param;
    return next();
  };
}
