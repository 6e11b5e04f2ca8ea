import { composeServices, compositionHasErrors } from '@theguild/federation-composition';
import {
  BreakingChangeType,
  buildASTSchema,
  type DirectiveNode,
  findBreakingChanges,
  GraphQLDeprecatedDirective,
  type GraphQLSchema,
  getDirectiveValues,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  Kind,
  parse,
  visit,
} from 'graphql';

/** The sources that define the contract of the API. */
export interface Contract {
  /** The schema of the code, printed. */
  printed: string;
  /** `src/schema.graphql`. */
  committed: string;
  /** The schema of the last release. */
  released: string;
  /** Intended breaking changes: the message of the check and the reason. */
  meant: Readonly<Record<string, string>>;
}

/** A subgraph like that of another team, which extends our entities by each key and has its own node lookup. */
const neighbour = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.6", import: ["@key", "@shareable", "@inaccessible"])
  type Query {
    node(nodeId: ID!): Node @shareable @inaccessible
    nodes(nodeIds: [ID!]!): [Node]! @shareable @inaccessible
    usage(first: Int): UsageConnection!
  }
  interface Node { nodeId: ID! }
  type Account @key(fields: "id") { id: ID! usage: Int! }
  type Customer @key(fields: "nodeId") { nodeId: ID! usage: Int! }
  type UsageConnection { nodes: [Int!]! pageInfo: PageInfo! }
  type PageInfo @shareable { endCursor: String hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String }
`;

function drift({ printed, committed }: Contract): string[] {
  if (printed === committed) return [];
  return [
    'src/schema.graphql is not what the code makes: run `npm run schema:print`, and read what it changed.',
  ];
}

/** Returns the node of a member such as `Account.name`, `Account.name(locale)` or `AccountStatus.DRAFT`. */
function memberNode(schema: GraphQLSchema, typeName: string, name: string, argument?: string) {
  const type = schema.getType(typeName);
  if (isEnumType(type)) return type.getValue(name)?.astNode;
  if (isInputObjectType(type)) return type.getFields()[name]?.astNode;
  if (!isObjectType(type) && !isInterfaceType(type)) return undefined;
  const field = type.getFields()[name];
  return argument === undefined ? field?.astNode : field?.args.find((one) => one.name === argument)?.astNode;
}

const removals: Partial<Record<BreakingChangeType, RegExp>> = {
  [BreakingChangeType.FIELD_REMOVED]: /^(?<type>\w+)\.(?<name>\w+) was removed/,
  [BreakingChangeType.ARG_REMOVED]: /^(?<type>\w+)\.(?<name>\w+) arg (?<argument>\w+) was removed/,
  [BreakingChangeType.VALUE_REMOVED_FROM_ENUM]: /^(?<name>\w+) was removed from enum type (?<type>\w+)/,
};

/** Whether a change removes a part that the released schema had deprecated. */
function wasAnnounced(released: GraphQLSchema, change: { type: BreakingChangeType; description: string }) {
  const { type = '', name = '', argument } = removals[change.type]?.exec(change.description)?.groups ?? {};
  const node = memberNode(released, type, name, argument);
  return node != null && getDirectiveValues(GraphQLDeprecatedDirective, node) !== undefined;
}

/** Returns the federation keys of our entities, such as `Account @key(fields: "id")`. */
function entityKeys(sdl: string): string[] {
  const keys: string[] = [];
  const keyOf = ({ arguments: [fields] = [] }: DirectiveNode) =>
    fields?.value.kind === Kind.STRING ? fields.value.value : '';
  visit(parse(sdl), {
    ObjectTypeDefinition: ({ name, directives = [] }) => {
      const own = directives.filter((directive) => directive.name.value === 'key');
      keys.push(...own.map((directive) => `${name.value} @key(fields: ${JSON.stringify(keyOf(directive))})`));
    },
  });
  return keys;
}

/** Returns the changes that break clients of the last release or other subgraphs, except removals of deprecated parts. */
export function breaksOf({ printed, released }: Pick<Contract, 'printed' | 'released'>): string[] {
  const [before, after] = [released, printed].map((sdl) =>
    buildASTSchema(parse(sdl), { assumeValidSDL: true }),
  ) as [GraphQLSchema, GraphQLSchema];
  const changes = findBreakingChanges(before, after).filter((change) => !wasAnnounced(before, change));
  const keys = entityKeys(printed);
  const lost = entityKeys(released).filter((key) => !keys.includes(key));
  return [...changes.map(({ description }) => description), ...lost.map((key) => `${key} was removed.`)];
}

function breaks(contract: Contract): string[] {
  const found = breaksOf(contract);
  const unmeant = found.filter((description) => !Object.hasOwn(contract.meant, description));
  const idle = Object.keys(contract.meant).filter((description) => !found.includes(description));
  return [
    ...unmeant.map(
      (description) =>
        `This breaks clients: ${description} Deprecate it with a reason in one release and remove it in a later one; or say in test/contract/meant.json why it must be now.`,
    ),
    ...idle.map((description) => `test/contract/meant.json means what is no change: ${description}`),
  ];
}

/** Returns the parts without a description and the deprecations without a reason. */
function undescribed({ printed }: Contract): string[] {
  const problems: string[] = [];
  const path: string[] = [];
  visit(parse(printed), {
    enter(node) {
      if (!('name' in node) || node.name === undefined || !node.kind.endsWith('Definition')) return;
      path.push(node.name.value);
      const place = path.join('.');
      if (!('description' in node) || !node.description?.value.trim())
        problems.push(`${place} has no description.`);
      const directives = 'directives' in node ? node.directives : [];
      const deprecated = directives?.find((directive) => directive.name.value === 'deprecated');
      if (deprecated?.arguments?.length === 0) problems.push(`${place} is deprecated without a reason.`);
    },
    leave(node) {
      if ('name' in node && node.name !== undefined && node.kind.endsWith('Definition')) path.pop();
    },
  });
  return problems;
}

/** Returns the composition errors of the schema, alone and with another subgraph. */
function uncomposable({ printed }: Contract): string[] {
  const ours = { name: 'accountgraph', typeDefs: parse(printed) };
  const other = { name: 'neighbour', typeDefs: parse(neighbour) };
  const results = [[ours], [ours, other]].map((services) => composeServices(services));
  const messages = results.flatMap((result) =>
    compositionHasErrors(result) ? result.errors.map(({ message }) => message) : [],
  );
  return [...new Set(messages)].map((message) => `It does not compose: ${message}`);
}

/** Returns the problems of the contract, each with a solution. */
export function problemsOf(contract: Contract): string[] {
  return [drift, breaks, undescribed, uncomposable].flatMap((check) => check(contract));
}
