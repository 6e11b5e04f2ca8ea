import {
  type ASTVisitor,
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Selects } from '../ctx.ts';
import { parseWithinLimits } from './limits.ts';
import type { TopLevelCode } from './request-error.ts';
import { selectionOf } from './selection.ts';

/** The most validation errors in a response. */
const maxValidationErrors = 20;

/** A parsed document, shared by all requests that send it. */
export interface Prepared {
  document: DocumentNode;
  /** Validation errors. */
  errors: readonly GraphQLError[];
  selects: Selects;
}

export type Validate = (
  schema: GraphQLSchema,
  document: DocumentNode,
  rules: readonly ValidationRule[],
  options: { maxErrors: number; hideSuggestions: boolean },
) => readonly GraphQLError[];

export interface DocumentsOptions {
  schema: GraphQLSchema;
  /** Applies the specified rules, with those for `@defer` and `@stream`, and the given ones. */
  validate: Validate;
  /** Whether clients may introspect the schema, and messages suggest its names. */
  exposesSchema: boolean;
}

/** An error of a document. `application/json` clients expect it with status 200. */
function documentError(error: GraphQLError, code: TopLevelCode): GraphQLError {
  const { message, nodes, source, positions, extensions } = error;
  const http = { status: 400, spec: true };
  const made = new GraphQLError(message, {
    nodes,
    source,
    positions,
    extensions: { code, http, ...extensions },
  } as object);
  // The error is cached with its document, and its stack would retain all objects of the validation.
  made.stack = message;
  return made;
}

/** graphql-js does not reject a subscription whose only field is skipped. */
function subscriptionsAreWhole(context: ValidationContext): ASTVisitor {
  return {
    Directive(node) {
      const isAtRoot = context.getParentType() === context.getSchema().getSubscriptionType();
      if (!isAtRoot || !['skip', 'include'].includes(node.name.value)) return;
      const message = "A subscription's root field cannot use @skip or @include.";
      context.reportError(new GraphQLError(message, { nodes: node }));
    },
  };
}

/** The total characters of cached documents. Parsed documents take much more memory than their text. */
const maxCachedCharacters = 500_000;
/** The minimum size of a document in the cache, in characters. */
const leastSize = 100;

/** Parses, measures and validates documents, each text once while it is cached. Refusals are also cached. */
export function createDocuments({ schema, validate, exposesSchema }: DocumentsOptions) {
  const cache = new LRUCache<string, Prepared | GraphQLError>({
    maxSize: maxCachedCharacters,
    sizeCalculation: (_, text) => text.length + leastSize,
  });
  const rules = [subscriptionsAreWhole, ...(exposesSchema ? [] : [NoSchemaIntrospectionCustomRule])];
  const options = { maxErrors: maxValidationErrors, hideSuggestions: !exposesSchema };

  function prepareNew(text: string): Prepared {
    const document = parseWithinLimits(text);
    const invalid = validate(schema, document, rules, options);
    const errors = invalid.map((error) => documentError(error, 'GRAPHQL_VALIDATION_FAILED'));
    return { document, errors, selects: selectionOf(schema, document) };
  }
  /** @throws GraphQLError a syntax error, or QUERY_TOO_COMPLEX */
  return (text: string): Prepared => {
    const known = cache.get(text);
    if (known instanceof GraphQLError) throw known;
    if (known !== undefined) return known;
    try {
      const prepared = prepareNew(text);
      cache.set(text, prepared);
      return prepared;
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      const refusal = documentError(error, 'GRAPHQL_PARSE_FAILED');
      cache.set(text, refusal);
      throw refusal;
    }
  };
}
