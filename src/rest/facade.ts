import { spelledInstant } from './dates.ts';
import { z } from './zod.ts';

/** What zod keeps of a rule that has others inside. */
interface Definition {
  type: string;
  innerType?: z.ZodType;
  element?: z.ZodType;
  shape?: Record<string, z.ZodType>;
}

function mapped(shape: Record<string, z.ZodType>): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(shape).map(([name, rule]) => [name, facade(rule)]));
}

/** The rule as it is, with other rules inside; its checks and its description stay. */
function rebuilt<T extends z.ZodType>(rule: T, inside: object): T {
  return rule.clone({ ...rule.def, ...inside } as never, { parent: true });
}

/** What comes out is the rule's own, whatever goes in. */
function asText(rule: z.ZodType) {
  return spelledInstant.pipe(rule as never).openapi({ type: 'string', format: 'date-time' });
}

/**
 * A rule of the domain as the facade applies it: objects refuse fields that they do not know, and instants come as text.
 * Nothing else is said again: limits, wording and checks are those of the rule.
 */
export function facade<T extends z.ZodType>(rule: T): T {
  const { type, innerType, element, shape } = rule.def as Definition;
  if (innerType !== undefined && (type === 'optional' || type === 'nullable')) {
    return rebuilt(rule, { innerType: facade(innerType) });
  }
  if (element !== undefined && type === 'array') return rebuilt(rule, { element: facade(element) });
  if (shape !== undefined) return rebuilt(rule, { shape: mapped(shape), catchall: z.never() });
  if (type === 'date') return asText(rule) as unknown as T;
  return rule;
}
