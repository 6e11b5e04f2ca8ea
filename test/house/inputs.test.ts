import { type GraphQLInputObjectType, getNamedType, isInputObjectType, isRequiredInputField } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { buildSchema } from '../../src/schema.ts';

const schema = buildSchema();

interface Pair {
  type: GraphQLInputObjectType;
  rule: z.ZodObject;
}

/** The rule of an object inside one that may be absent, null or a list; undefined for a rule of anything else. */
function objectRuleIn(rule: unknown): z.ZodObject | undefined {
  if (typeof rule !== 'object' || rule === null) return undefined;
  if ('shape' in rule) return rule as z.ZodObject;
  const { innerType, element } = (rule as { def?: Record<string, unknown> }).def ?? {};
  return objectRuleIn(innerType) ?? objectRuleIn(element);
}

/** A type and its rule, and those of the objects inside. */
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

/** Every input of a mutation with the rule that its argument is checked by. */
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

  it('has exactly its fields', () => {
    expect(Object.keys(rule.shape).toSorted()).toEqual(fields.map(({ name }) => name).toSorted());
  });

  it('requires what it requires', () => {
    const required = Object.keys(rule.shape).filter((name) => !accepts(rule.shape[name], undefined));
    expect(required.toSorted()).toEqual(
      fields
        .filter(isRequiredInputField)
        .map(({ name }) => name)
        .toSorted(),
    );
  });

  it('takes null for what it does not require, except where null would clear what must be there', () => {
    const optional = fields.filter((field) => !isRequiredInputField(field)).map(({ name }) => name);
    const refusing = optional.filter((name) => !accepts(rule.shape[name], null));
    expect(type.name.startsWith('Update') ? [] : refusing).toEqual([]);
  });
});

it('leaves no input of a mutation without a rule', () => {
  const inputs = Object.values(schema.getTypeMap()).filter(
    (type) => isInputObjectType(type) && type.name.endsWith('Input'),
  );
  expect(inputs.length).toBeGreaterThanOrEqual(7);
  expect(table.map(([name]) => name).toSorted()).toEqual(inputs.map(({ name }) => name).toSorted());
});
