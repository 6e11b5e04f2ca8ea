import {
  type DocumentNode,
  GraphQLError,
  Kind,
  parse,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/** Limits of a document. All but the first three apply to each operation, with fragments counted at every spread. */
export const documentLimits = {
  characters: { maximum: 100_000, what: 'characters' },
  tokens: { maximum: 5_000, what: 'tokens' },
  fragments: { maximum: 100, what: 'fragments' },
  depth: { maximum: 15, what: 'levels' },
  fields: { maximum: 2_000, what: 'fields' },
  rootFields: { maximum: 200, what: 'fields at the root' },
  aliases: { maximum: 200, what: 'aliases' },
  directives: { maximum: 50, what: 'directives' },
  cost: { maximum: 100_000, what: 'units of cost' },
} as const;

export type DocumentLimit = keyof typeof documentLimits;

/** The error of a document that exceeds a limit. It has the status of an invalid document, because nothing ran. */
export function tooComplex(limit: DocumentLimit, actual?: number): GraphQLError {
  const { maximum, what } = documentLimits[limit];
  const has = Number.isSafeInteger(actual) ? `, this one has ${actual}` : '';
  return new GraphQLError(`A document can have at most ${maximum} ${what}${has} (limit \`${limit}\`).`, {
    extensions: { code: 'QUERY_TOO_COMPLEX', limit, maximum, http: { status: 400, spec: true } },
  });
}

interface Size {
  depth: number;
  fields: number;
  /** Fields of the selection set itself. */
  rootFields: number;
  aliases: number;
  directives: number;
}

const nothing: Size = { depth: 0, fields: 0, rootFields: 0, aliases: 0, directives: 0 };

function sum(sizes: readonly Size[]): Size {
  const total = { ...nothing };
  for (const { depth, fields, rootFields, aliases, directives } of sizes) {
    total.depth = Math.max(total.depth, depth);
    total.fields += fields;
    total.rootFields += rootFields;
    total.aliases += aliases;
    total.directives += directives;
  }
  return total;
}

/** Measures the operations of a document. Each fragment is measured once. */
function sizesOf({ definitions }: DocumentNode): Size[] {
  const fragments = new Map(
    definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  );
  const known = new Map<string, Size>();

  const ofSet = (set: SelectionSetNode | undefined): Size =>
    set === undefined ? nothing : sum(set.selections.map(ofSelection));

  function ofFragment(name: string): Size {
    const size = known.get(name);
    if (size !== undefined) return size;
    // Validation refuses a fragment that spreads itself.
    known.set(name, nothing);
    const measured = ofSet(fragments.get(name)?.selectionSet);
    known.set(name, measured);
    return measured;
  }
  function ofSelection(node: SelectionNode): Size {
    const below = node.kind === Kind.FRAGMENT_SPREAD ? ofFragment(node.name.value) : ofSet(node.selectionSet);
    const directives = below.directives + (node.directives?.length ?? 0);
    if (node.kind !== Kind.FIELD) return { ...below, directives };
    return {
      depth: below.depth + 1,
      fields: below.fields + 1,
      rootFields: 1,
      aliases: below.aliases + (node.alias === undefined ? 0 : 1),
      directives,
    };
  }
  return definitions.flatMap((node) => {
    if (node.kind !== Kind.OPERATION_DEFINITION) return [];
    const size = ofSet(node.selectionSet);
    return [{ ...size, directives: size.directives + (node.directives?.length ?? 0) }];
  });
}

const ofTokens = /^Syntax Error: Document contains more that? \d+ tokens/;

function parseTokens(text: string): DocumentNode {
  const { maximum } = documentLimits.tokens;
  try {
    return parse(text, { maxTokens: maximum });
  } catch (error) {
    // The parser recurses for each level, so it can overflow the stack.
    if (error instanceof RangeError) throw tooComplex('depth');
    throw error instanceof GraphQLError && ofTokens.test(error.message) ? tooComplex('tokens') : error;
  }
}

/** Parses a document. Throws QUERY_TOO_COMPLEX or a syntax error. */
export function parseWithinLimits(text: string): DocumentNode {
  if (text.length > documentLimits.characters.maximum) throw tooComplex('characters', text.length);
  const document = parseTokens(text);
  const fragments = document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION).length;
  for (const size of [{ fragments }, ...sizesOf(document)]) {
    for (const [limit, actual] of Object.entries(size) as [DocumentLimit, number][]) {
      if (actual > documentLimits[limit].maximum) throw tooComplex(limit, actual);
    }
  }
  return document;
}
