import { jsonSchemaOf } from '../lib/rule.ts';
import type { z } from '../lib/zod.ts';

function range(min: number | undefined, max: number | undefined, unit: string): string | undefined {
  if (min !== undefined && max !== undefined)
    return min === max ? `${min}${unit}` : `${min} to ${max}${unit}`;
  if (max !== undefined) return `At most ${max}${unit}`;
  return min === undefined ? undefined : `At least ${min}${min === 1 ? unit.replace(/s$/, '') : unit}`;
}

/** Returns the description of a field: the description of its rule, and its limits. */
export function describeRule(rule: z.ZodType, more = ''): string {
  const schema = jsonSchemaOf(rule);
  const limits = [
    range(schema.minLength, schema.maxLength, ' characters'),
    range(schema.minimum, schema.maximum === Number.MAX_SAFE_INTEGER ? undefined : schema.maximum, ''),
    range(schema.minItems, schema.maxItems, ' elements'),
  ].filter((limit) => limit !== undefined);
  const items = schema.items as { minLength?: number; maxLength?: number } | undefined;
  const each = items === undefined ? undefined : range(items.minLength, items.maxLength, ' characters');
  const sentences = [
    rule.description ?? schema.description,
    ...limits.map((limit) => `${limit}${each === undefined ? '' : `, each ${each.toLowerCase()}`}.`),
    more,
  ];
  return sentences.filter(Boolean).join(' ');
}
