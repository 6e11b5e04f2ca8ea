import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLNamedOutputType,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isListType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
  type OperationTypeNode,
} from 'graphql';
import type { Dice, Pool } from './fuzz.ts';

/** A document with its variables, as a client may send it. */
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
  fragments: string[];
  /** Whether something is spoilt here, so often of a hundred times; never in an operation that is to be right. */
  spoils(percent: number): boolean;
}

const deepest = 6;

const identifying = /^(id|alias|aliases|value)$|Ids?$/;
const cursors = ['after', 'before'];

const integers = [0, -1, 101, 2_147_483_647, -2_147_483_648, 3e9, 0.5];

function leaf({ dice, pool, spoils }: Writing, name: string, type: string): unknown {
  const isOdd = spoils(30);
  if (cursors.includes(name)) return isOdd ? dice.pick(pool.cursors) : pool.cursors[0];
  if (type === 'ID' || identifying.test(name)) return dice.pick(pool.names);
  if (type === 'Int') return dice.pick(isOdd ? integers : [1, 2, 5]);
  if (type === 'Boolean') return dice.chance(50);
  if (type === 'DateTime') return isOdd ? dice.pick(pool.instants) : pool.instants[dice.int(1)];
  if (type === 'JSONObject') return dice.pick([{}, { k: 'v' }, { k: null }, { '': '' }, dice.json()]);
  return isOdd ? dice.text() : dice.pick(pool.texts);
}

/** A value for an input, real or spoilt, as JSON. */
function inputOf(writing: Writing, name: string, type: GraphQLInputType, depth: number): unknown {
  const { dice } = writing;
  if (writing.spoils(8)) return dice.chance(40) ? null : dice.json();
  const nullable = getNullableType(type);
  if (isListType(nullable)) {
    const length = dice.pick([0, 1, 1, 2, 3, 11, 51, 101]);
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

function isAsked({ dice, spoils }: Writing, name: string, isRequired: boolean, depth = 0): boolean {
  // They seldom fit together.
  if (['last', ...cursors].includes(name) && !dice.chance(20)) return spoils(30);
  return isRequired ? !spoils(3) : dice.chance(depth > deepest ? 0 : 35);
}

/** A JSON value as GraphQL writes it; the names of enums without quotes. */
function literal(value: unknown, type: GraphQLInputType | undefined): string {
  const nullable = type && getNullableType(type);
  if (Array.isArray(value)) {
    const item = nullable && isListType(nullable) ? nullable.ofType : undefined;
    return `[${value.map((one) => literal(one, item)).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const fields = nullable && isInputObjectType(nullable) ? nullable.getFields() : {};
    const named = Object.entries(value).filter(([name]) => /^[_A-Za-z]\w*$/.test(name));
    return `{ ${named.map(([name, one]) => `${name}: ${literal(one, fields[name]?.type)}`).join(', ')} }`;
  }
  if (typeof value === 'string' && nullable && isEnumType(getNamedType(nullable))) return value;
  return JSON.stringify(value) ?? 'null';
}

function argument(writing: Writing, { name, type }: GraphQLArgument): string {
  const { dice, variables, declared } = writing;
  const value = inputOf(writing, name, type, 0);
  if (!dice.chance(60)) return `${name}: ${literal(value, type)}`;
  const variable = `v${declared.length}`;
  const wrong = writing.spoils(4) ? dice.pick(['Int', '[ID!]!', 'JSONObject', 'Nothing']) : String(type);
  declared.push(`$${variable}: ${wrong}`);
  if (!writing.spoils(4)) variables[variable] = value;
  return `${name}: $${variable}`;
}

function argumentsOf(writing: Writing, args: readonly GraphQLArgument[]): string {
  const asked = args.filter((one) => isAsked(writing, one.name, isRequiredArgument(one)));
  return asked.length === 0 ? '' : `(${asked.map((one) => argument(writing, one)).join(', ')})`;
}

function directives({ dice, spoils }: Writing, onFragment: boolean): string {
  if (!dice.chance(12)) return '';
  const right = ['@include(if: true)', '@skip(if: false)', '@skip(if: true)'];
  const some = spoils(20) ? ['@nothing', '@include', '@include(if: 1)', '@stream'] : right;
  return ` ${dice.pick(onFragment ? [...some, '@defer'] : some)}`;
}

function field(writing: Writing, one: GraphQLField<unknown, unknown>, depth: number): string {
  const { dice } = writing;
  const alias = writing.spoils(20) ? `${dice.pick(['a', 'b', 'id', one.name])}: ` : '';
  const type = getNamedType(one.type);
  const below =
    isObjectType(type) || isAbstractType(type) ? ` ${selectionSet(writing, type, depth + 1)}` : '';
  return `${alias}${one.name}${argumentsOf(writing, one.args)}${directives(writing, false)}${below}`;
}

function fragment(writing: Writing, type: GraphQLNamedOutputType, depth: number): string {
  const { dice, schema, fragments } = writing;
  const possible = isAbstractType(type) ? [...schema.getPossibleTypes(type), type] : [type];
  const strange = ['Account', 'Query', 'Tenant'].map((one) => schema.getType(one));
  const on = dice.pick<GraphQLNamedType | undefined>(writing.spoils(5) ? strange : possible);
  const name = on?.name ?? 'Nothing';
  if (depth > deepest || dice.chance(60))
    return `... on ${name}${directives(writing, true)} ${selectionSet(writing, on as GraphQLNamedOutputType, depth + 1)}`;
  const spread = `F${fragments.length}`;
  fragments.push('');
  fragments[Number(spread.slice(1))] =
    `fragment ${spread} on ${name} ${selectionSet(writing, on as GraphQLNamedOutputType, depth + 1)}`;
  return `...${writing.spoils(4) ? dice.pick(['F0', 'Nothing']) : spread}${directives(writing, true)}`;
}

function selectionSet(writing: Writing, type: GraphQLNamedOutputType, depth: number): string {
  const { dice } = writing;
  const fields =
    'getFields' in type ? (Object.values(type.getFields()) as GraphQLField<unknown, unknown>[]) : [];
  const leaves = fields.filter((one) => !('getFields' in getNamedType(one.type)) && one.args.length === 0);
  // The schema as text holds words that no other answer may hold.
  const usable = depth > deepest ? leaves : fields.filter(({ name }) => name !== '_service');
  const selections = Array.from({ length: 1 + dice.int(depth > 3 ? 1 : 3) }, () => {
    if (writing.spoils(3)) return dice.pick(['nothing', '__typename', '_', 'tenantId', 'passwordHash']);
    if (usable.length === 0 || dice.chance(10))
      return depth > deepest ? '__typename' : fragment(writing, type, depth);
    return field(writing, dice.pick(usable), depth);
  });
  return `{ ${selections.join(' ')} }`;
}

/** An operation of a kind, built of what the schema offers, mostly right. */
export function operation(schema: GraphQLSchema, kind: OperationTypeNode, dice: Dice, pool: Pool): Operation {
  const isSpoilt = dice.chance(40);
  const spoils = (percent: number) => isSpoilt && dice.chance(percent);
  const writing: Writing = { dice, pool, schema, variables: {}, declared: [], fragments: [], spoils };
  const root = schema.getRootType(kind);
  if (!root) throw new Error(`The schema has no ${kind}.`);
  const set =
    kind === 'query'
      ? selectionSet(writing, root, 0)
      : `{ ${field(writing, dice.pick(Object.values(root.getFields())), 0)} }`;
  const declared = writing.declared.length === 0 ? '' : `(${writing.declared.join(', ')})`;
  const query = `${kind} Fuzz${declared} ${set} ${writing.fragments.join(' ')}`;
  return { query: spoils(10) ? spoiltText(query, dice) : query, variables: writing.variables };
}

/** A text with a piece taken out or put in. */
function spoiltText(text: string, dice: Dice): string {
  const at = dice.int(text.length);
  return (
    text.slice(0, at) +
    dice.pick(['', '{', '}', '"', '"""', '$', '\u0000', '\\u{110000}', '#', '...']) +
    text.slice(at + dice.int(3))
  );
}
