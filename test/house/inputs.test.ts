import { type GraphQLInputObjectType, getNamedType, isInputObjectType, isRequiredInputField } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { buildSchema } from '../../src/schema.ts';

const schema = buildSchema();

interface Pair {
  type: GraphQLInputObjectType;
  rule: z.ZodObject;
}

/** Returns the object rule inside an optional, nullable or list rule; `undefined` if there is none. */
function objectRuleIn(rule: unknown): z.ZodObject | undefined {
  if (typeof rule !== 'object' || rule === null) return undefined;
  if ('shape' in rule) return rule as z.ZodObject;
  const { innerType, element } = (rule as { def?: Record<string, unknown> }).def ?? {};
  return objectRuleIn(innerType) ?? objectRuleIn(element);
}

/** Returns a type with its rule, and those of nested objects. */
function pairsIn(type: GraphQLInputObjectType, rule: z.ZodObject): Pair[] {
  const inside = Object.values(type.getFields()).flatMap((field) => {
    const fieldType = getNamedType(field.type);
    const fieldRule = objectRuleIn(rule.shape[field.name]);
    return isInputObjectType(fieldType) && fieldRule !== undefined ? pairsIn(fieldType, fieldRule) : [];
  });
  return [{ type, rule }, ...inside];
}

interface ArgumentExtensions {
  pothosOptions?: { validate?: { schema?: unknown } };
}

/** Every input of a mutation with the rule of its argument. */
const pairs: Pair[] = Object.values(schema.getMutationType()?.getFields() ?? {})
  .flatMap((mutation) => mutation.args)
  .flatMap((argument) => {
    const type = getNamedType(argument.type);
    const rule = objectRuleIn((argument.extensions as ArgumentExtensions).pothosOptions?.validate?.schema);
    return isInputObjectType(type) && rule !== undefined ? pairsIn(type, rule) : [];
  });

const accepts = (rule: z.core.$ZodType | undefined, value: unknown): boolean =>
  (rule as z.ZodType | undefined)?.safeParse(value).success === true;

const table = [...new Map(pairs.map((pair) => [pair.type.name, pair])).entries()];

describe.each(table)('the rule of %s', (_, { type, rule }) => {
  const fields = Object.values(type.getFields());

  it('has exactly the fields of the type', () => {
    expect(Object.keys(rule.shape).toSorted()).toEqual(fields.map(({ name }) => name).toSorted());
  });

  it('requires the fields that the type requires', () => {
    const required = Object.keys(rule.shape).filter((name) => !accepts(rule.shape[name], undefined));
    expect(required.toSorted()).toEqual(
      fields
        .filter(isRequiredInputField)
        .map(({ name }) => name)
        .toSorted(),
    );
  });

  it('accepts null for optional fields, unless an update would clear a required field', () => {
    const optional = fields.filter((field) => !isRequiredInputField(field)).map(({ name }) => name);
    const refusing = optional.filter((name) => !accepts(rule.shape[name], null));
    expect(type.name.startsWith('Update') ? [] : refusing).toEqual([]);
  });
});

it('has a rule for every input of a mutation', () => {
  const inputs = Object.values(schema.getTypeMap()).filter(
    (type) => isInputObjectType(type) && type.name.endsWith('Input'),
  );
  expect(inputs.length).toBeGreaterThanOrEqual(7);
  expect(table.map(([name]) => name).toSorted()).toEqual(inputs.map(({ name }) => name).toSorted());
});
