import {
  type GraphQLArgument,
  GraphQLBoolean,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLNamedOutputType,
  type GraphQLNamedType,
  GraphQLNonNull,
  type GraphQLSchema,
  type GraphQLUnionType,
  getNamedType,
  getNullableType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
  isUnionType,
  type OperationTypeNode,
} from 'graphql';
import type { Dice, Pool } from './fuzz.ts';

/** A document with its variables. */
export interface Operation {
  query: string;
  variables: Record<string, unknown>;
}

interface Writing {
  dice: Dice;
  pool: Pool;
  schema: GraphQLSchema;
  variables: Record<string, unknown>;
  declared: string[];
  fragments: { type: string; text: string }[];
  aliases: { count: number };
  probesReplay: boolean;
  listLengths: readonly number[];
  /** Whether to make this part invalid, with a probability in percent; never in an operation that must be valid. */
  spoils(percent: number): boolean;
}

const deepest = 6;

/** Response names that executors have confused with their own. */
const trickyAliases = ['__proto__', 'constructor', 'then', 'toString'];

const identifying = /^(id|alias|aliases|value)$|Ids?$/;
const cursors = ['after', 'before'];

const integers = [0, -1, 101, 2_147_483_647, -2_147_483_648, 3e9, 0.5];

function representation(dice: Dice, pool: Pool): object {
  const name = dice.pick(pool.names);
  return dice.pick<object>([
    { __typename: 'Account', id: name },
    { __typename: 'Account', nodeId: name },
    { __typename: 'Customer', id: name },
    { __typename: 'AccountReference', alias: name, effectiveOn: pool.instants[0] },
  ]);
}

function leaf({ dice, pool, spoils }: Writing, name: string, type: string): unknown {
  const isOdd = spoils(30);
  if (name === 'idempotencyKey' && pool.newKey !== undefined) return pool.newKey();
  const known = pool.byName?.[name];
  if (known !== undefined && !isOdd) return dice.pick(known);
  if (cursors.includes(name)) return isOdd ? dice.pick(pool.cursors) : pool.cursors[0];
  if (type === 'ID' || identifying.test(name)) return dice.pick(pool.names);
  if (type === 'Int') return dice.pick(isOdd ? integers : [1, 2, 5]);
  if (type === 'Boolean') return dice.chance(50);
  if (type === 'DateTime') return isOdd ? dice.pick(pool.instants) : pool.instants[dice.int(1)];
  if (type === '_Any') return representation(dice, pool);
  if (type === 'JSONObject') return dice.pick([{}, { k: 'v' }, { k: null }, { '': '' }, dice.json()]);
  return isOdd ? dice.text() : dice.pick(pool.texts);
}

/** Returns a JSON value for an input, valid or invalid. */
function inputOf(writing: Writing, name: string, type: GraphQLInputType, depth: number): unknown {
  const { dice } = writing;
  if (writing.spoils(8)) return dice.chance(40) ? null : dice.json();
  const nullable = getNullableType(type);
  if (isListType(nullable)) {
    const length = dice.pick(writing.listLengths);
    const items = Array.from({ length: depth > 3 ? 1 : length }, () =>
      inputOf(writing, name, nullable.ofType, depth + 1),
    );
    return dice.chance(5) ? items[0] : items;
  }
  if (isEnumType(nullable)) return dice.pick(nullable.getValues()).name;
  if (!isInputObjectType(nullable)) return leaf(writing, name, getNamedType(type).name);
  const entries = Object.values(nullable.getFields())
    .filter((field) => isAsked(writing, field.name, isRequiredInputField(field), depth))
    .map((field: GraphQLInputField) => [field.name, inputOf(writing, field.name, field.type, depth + 1)]);
  if (writing.spoils(3))
    entries.push([dice.pick(['nothing', '__proto__', 'constructor', 'tenantId', '']), 1]);
  return Object.fromEntries(entries);
}

function isAsked({ dice, pool, spoils }: Writing, name: string, isRequired: boolean, depth = 0): boolean {
  if (name === 'idempotencyKey' && pool.newKey !== undefined) return true;
  // Results are compared with those of graphql-js alone, which has no dry runs.
  if (name === 'dryRun' && pool.newKey !== undefined) return false;
  // These arguments are rarely valid together.
  if (['last', ...cursors].includes(name) && !dice.chance(20)) return spoils(30);
  return isRequired ? !spoils(3) : dice.chance(depth > deepest ? 0 : 35);
}

/** Returns a JSON value as a GraphQL literal, sometimes with variables inside. */
function literal(
  writing: Writing,
  value: unknown,
  type: GraphQLInputType | undefined,
  mayHaveVariables = true,
): string {
  const inner = (one: unknown, innerType: GraphQLInputType | undefined, name = '') =>
    mayHaveVariables && name !== 'idempotencyKey' && writing.dice.chance(15)
      ? variableFor(writing, one, innerType)
      : literal(writing, one, innerType, mayHaveVariables);
  const nullable = type && getNullableType(type);
  if (Array.isArray(value)) {
    const item = nullable && isListType(nullable) ? nullable.ofType : undefined;
    return `[${value.map((one) => inner(one, item)).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const fields = nullable && isInputObjectType(nullable) ? nullable.getFields() : {};
    const named = Object.entries(value).filter(([name]) => /^[_A-Za-z]\w*$/.test(name));
    return `{ ${named.map(([name, one]) => `${name}: ${inner(one, fields[name]?.type, name)}`).join(', ')} }`;
  }
  if (typeof value === 'string' && nullable && isEnumType(getNamedType(nullable))) return value;
  return JSON.stringify(value) ?? 'null';
}

/** Returns the type of a variable inside a custom scalar. */
function typeOfJson(value: unknown): string {
  if (typeof value === 'boolean') return 'Boolean';
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? 'JSONObject' : 'String';
}

/** Declares a variable for a value: present, `null`, absent, or absent with a default. */
function variableFor(writing: Writing, value: unknown, type: GraphQLInputType | undefined): string {
  const { dice, variables, declared } = writing;
  const name = `v${declared.length}`;
  const isNullable = type === undefined || !isNonNullType(type);
  const written = type === undefined ? typeOfJson(value) : String(type);
  if (writing.spoils(4)) {
    declared.push(`$${name}: ${dice.pick(['Int', '[ID!]!', 'JSONObject', 'Nothing'])}`);
  } else if (dice.chance(20)) {
    declared.push(`$${name}: ${written.replace(/!$/, '')} = ${literal(writing, value, type, false)}`);
    if (dice.chance(70)) return `$${name}`;
  } else {
    declared.push(`$${name}: ${written}`);
    if (isNullable && dice.chance(25)) return `$${name}`;
  }
  if (!writing.spoils(4)) variables[name] = isNullable && dice.chance(10) ? null : value;
  return `$${name}`;
}

function argument(writing: Writing, { name, type }: GraphQLArgument): string {
  const value = inputOf(writing, name, type, 0);
  const text = writing.dice.chance(60) ? literal(writing, value, type) : variableFor(writing, value, type);
  return `${name}: ${text}`;
}

function argumentsOf(writing: Writing, args: readonly GraphQLArgument[]): string {
  const asked = args.filter((one) => isAsked(writing, one.name, isRequiredArgument(one)));
  return asked.length === 0 ? '' : `(${asked.map((one) => argument(writing, one)).join(', ')})`;
}

function directives(writing: Writing, onFragment: boolean): string {
  const { dice, spoils } = writing;
  if (!dice.chance(12)) return '';
  if (spoils(20)) return ` ${dice.pick(['@nothing', '@include', '@include(if: 1)'])}`;
  if (onFragment && dice.chance(25)) return ' @defer';
  const condition = dice.chance(50)
    ? String(dice.chance(50))
    : variableFor(writing, dice.chance(50), new GraphQLNonNull(GraphQLBoolean));
  return ` ${dice.pick(['@include', '@skip'])}(if: ${condition})`;
}

/** Fields with one response name must have the same arguments and the same `@defer` and `@stream`. */
function aliasFor({ dice, spoils, aliases }: Writing, name: string, isPlain: boolean): string {
  if (spoils(20)) return `${dice.pick(['a', 'b', 'id', name])}: `;
  if (isPlain) return dice.chance(2) ? `${dice.pick(trickyAliases)}: ` : '';
  aliases.count += 1;
  return `${name}${aliases.count}: `;
}

function field(writing: Writing, one: GraphQLField<unknown, unknown>, depth: number): string {
  const { dice } = writing;
  const type = getNamedType(one.type);
  const isComposite = isObjectType(type) || isAbstractType(type);
  const args = argumentsOf(writing, one.args);
  const isStreamed = depth > 0 && isListType(getNullableType(one.type)) && dice.chance(8);
  const stream = isStreamed ? ` @stream(initialCount: ${dice.int(2)})` : '';
  const alias = aliasFor(writing, one.name, args === '' && stream === '');
  const below = isComposite ? ` ${selectionSet(writing, type, depth + 1)}` : '';
  return `${alias}${one.name}${args}${directives(writing, false)}${stream}${below}`;
}

function fragment(writing: Writing, type: GraphQLNamedOutputType, depth: number): string {
  const { dice, schema, fragments } = writing;
  const possible = isAbstractType(type) ? [...schema.getPossibleTypes(type), type] : [type];
  const strange = ['Account', 'Query', 'Tenant'].map((one) => schema.getType(one));
  const on = dice.pick<GraphQLNamedType | undefined>(writing.spoils(5) ? strange : possible);
  const name = on?.name ?? 'Nothing';
  const known = fragments.findIndex((one) => one.type === name && one.text !== '');
  if (known >= 0 && dice.chance(50)) return `...F${known}${directives(writing, true)}`;
  if (depth > deepest || dice.chance(60))
    return `... on ${name}${directives(writing, true)} ${selectionSet(writing, on as GraphQLNamedOutputType, depth + 1)}`;
  const spread = `F${fragments.length}`;
  const written = { type: name, text: '' };
  fragments.push(written);
  written.text = `fragment ${spread} on ${name} ${selectionSet(writing, on as GraphQLNamedOutputType, depth + 1)}`;
  return `...${writing.spoils(4) ? dice.pick(['F0', 'Nothing']) : spread}${directives(writing, true)}`;
}

function selectionSet(writing: Writing, type: GraphQLNamedOutputType, depth: number): string {
  const { dice } = writing;
  const fields =
    'getFields' in type ? (Object.values(type.getFields()) as GraphQLField<unknown, unknown>[]) : [];
  const leaves = fields.filter((one) => !('getFields' in getNamedType(one.type)) && one.args.length === 0);
  // The printed schema contains words that other responses must not contain.
  const hidden = writing.probesReplay ? ['_service', 'replayed'] : ['_service'];
  const usable = (depth > deepest ? leaves : fields).filter(({ name }) => !hidden.includes(name));
  const selections = Array.from({ length: 1 + dice.int(depth > 3 ? 1 : 3) }, () => {
    if (writing.spoils(3)) return dice.pick(['nothing', '__typename', '_', 'tenantId', 'passwordHash']);
    if (usable.length === 0 || dice.chance(10))
      return depth > deepest ? '__typename' : fragment(writing, type, depth);
    return field(writing, dice.pick(usable), depth);
  });
  if (writing.probesReplay && isUnionType(type)) selections.push(...replayProbes(type));
  return `{ ${selections.join(' ')} }`;
}

/** Selects `replayed` of each success of a mutation. */
function replayProbes(type: GraphQLUnionType): string[] {
  const successes = type.getTypes().filter((one) => one.getFields().replayed !== undefined);
  return successes.map(({ name }) => `... on ${name} { replayedProbe: replayed }`);
}

export interface OperationOptions {
  /** The percentage of operations that may be invalid. */
  spoiltPercent?: number;
  /** Whether a mutation selects `replayed` of each success only as `replayedProbe`. */
  probesReplay?: boolean;
  /** The possible lengths of lists in an input. */
  listLengths?: readonly number[];
}

/** Builds a random operation of the schema. */
export function operation(
  schema: GraphQLSchema,
  kind: OperationTypeNode,
  dice: Dice,
  pool: Pool,
  {
    spoiltPercent = 40,
    probesReplay = false,
    listLengths = [0, 1, 1, 2, 3, 11, 51, 101],
  }: OperationOptions = {},
): Operation {
  const isSpoilt = dice.chance(spoiltPercent);
  const spoils = (percent: number) => isSpoilt && dice.chance(percent);
  const parts = { variables: {}, declared: [], fragments: [], aliases: { count: 0 } };
  const writing: Writing = { dice, pool, schema, ...parts, spoils, probesReplay, listLengths };
  const root = schema.getRootType(kind);
  if (!root) throw new Error(`The schema has no ${kind}.`);
  // The service knows a tenant that the reference has changed only some seconds later.
  const isUsable = ({ name }: { name: string }) => !(probesReplay && name === 'updateTenant');
  const set =
    kind === 'query'
      ? selectionSet(writing, root, 0)
      : `{ ${field(writing, dice.pick(Object.values(root.getFields()).filter(isUsable)), 0)} }`;
  const declared = writing.declared.length === 0 ? '' : `(${writing.declared.join(', ')})`;
  const query = `${kind} Fuzz${declared} ${set} ${writing.fragments.map(({ text }) => text).join(' ')}`;
  return { query: spoils(10) ? spoiltText(query, dice) : query, variables: writing.variables };
}

/** Removes a piece of a text or inserts one. */
function spoiltText(text: string, dice: Dice): string {
  const at = dice.int(text.length);
  return (
    text.slice(0, at) +
    dice.pick(['', '{', '}', '"', '"""', '$', '\u0000', '\\u{110000}', '#', '...']) +
    text.slice(at + dice.int(3))
  );
}
