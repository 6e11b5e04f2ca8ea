import { spelledInstant } from './dates.ts';
import { z } from './zod.ts';

/** The part of a zod definition that holds inner schemas. */
interface Definition {
  type: string;
  innerType?: z.ZodType;
  element?: z.ZodType;
  shape?: Record<string, z.ZodType>;
}

function mapped(shape: Record<string, z.ZodType>): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(shape).map(([name, rule]) => [name, facade(rule)]));
}

/** Clones a rule with other inner rules. Keeps its checks and its description. */
function rebuilt<T extends z.ZodType>(rule: T, inside: object): T {
  return rule.clone({ ...rule.def, ...inside } as never, { parent: true });
}

/** Parses a string to an instant before the rule checks it. */
function asText(rule: z.ZodType) {
  return spelledInstant.pipe(rule as never).openapi({ type: 'string', format: 'date-time' });
}

/**
 * Adapts a rule of the domain to REST: objects reject unknown fields, and instants are strings. Limits, messages and
 * checks stay those of the rule.
 */
export function facade<T extends z.ZodType>(rule: T): T {
  const { type, innerType, element, shape } = rule.def as Definition;
  if (innerType !== undefined && (type === 'optional' || type === 'nullable')) {
    const outer = rebuilt(rule, { innerType: facade(innerType) });
    const isInstant = type === 'nullable' && innerType.def.type === 'date';
    return isInstant ? outer.meta({ ...outer.meta(), type: ['string', 'null'] }) : outer;
  }
  if (element !== undefined && type === 'array') return rebuilt(rule, { element: facade(element) });
  if (shape !== undefined) return rebuilt(rule, { shape: mapped(shape), catchall: z.never() });
  if (type === 'date') return asText(rule) as unknown as T;
  return rule;
}
