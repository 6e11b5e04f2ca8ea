import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
} from 'graphql';
import type { GraphQLParams, YogaServerInstance } from 'graphql-yoga';
import type { Caller, Ctx, Selects } from '../ctx.ts';
import type { Decision } from '../http/budget.ts';
import type { Perform } from './execution.ts';
import type { createDocumentCaches } from './limits.ts';
import type { Guard } from './protection.ts';

/** What becomes known of a request on its way. */
export interface Known {
  requestId: string;
  /** When it came, by performance.now(); undefined: it has not waited. */
  arrivedAt?: number | undefined;
  caller?: Caller;
  params?: GraphQLParams;
  budget?: Decision;
}

/** A request that has been let in, with the text of its document. */
export interface Asking extends Known {
  caller: Caller;
  params: GraphQLParams & { query: string };
}

/** What yoga's plugins add to it. */
export interface ServerContext extends Asking {
  selects: Selects;
}

/** A document that has been read once, whichever request sent it. */
interface Ready {
  schema: GraphQLSchema;
  document: DocumentNode;
  errors: readonly GraphQLError[];
  selects: Selects;
}

export interface OperateOptions {
  yoga: YogaServerInstance<ServerContext, Ctx>;
  /** Where yoga keeps the documents that it has parsed. */
  caches: ReturnType<typeof createDocumentCaches>;
  guard: Guard;
  perform: Perform;
  execute(args: ExecutionArgs): ReturnType<Perform>;
  createContext(caller: Caller, selects: Selects): Ctx;
}

/** Reads a document by yoga's way, with all that is plugged in there, when it is seen for the first time. */
function createReader({ yoga, caches }: OperateOptions) {
  const known = new WeakMap<DocumentNode, Ready>();
  return (request: Request, asking: Asking): Ready => {
    const { query } = asking.params;
    const parsed = caches.documentCache.get(query);
    const ready = parsed && known.get(parsed);
    if (ready !== undefined) return ready;
    // What it selects is put in by the plugin that reads it.
    const context = { ...asking, request } as ServerContext & { request: Request };
    const { parse, validate, schema } = yoga.getEnveloped(context);
    const document: DocumentNode = parse(query);
    const made = { schema, document, errors: validate(schema, document), selects: context.selects };
    known.set(document, made);
    return made;
  };
}

/**
 * Runs an operation whose answer comes whole, with what yoga's plugins do for each request and without the machinery
 * that finds out which of them want to do something, which is 40 % of a small request.
 */
export function createOperate(options: OperateOptions) {
  const { guard, perform, execute, createContext } = options;
  const read = createReader(options);
  return (request: Request, asking: Asking): ExecutionResult | Promise<ExecutionResult> => {
    const { caller, params } = asking;
    guard.charge(asking);
    const { schema, document, errors, selects } = read(request, asking);
    if (errors.length > 0) return { errors };
    const { variables, operationName } = params;
    if (getOperationAST(document, operationName) == null) {
      throw new GraphQLError('Could not determine what operation to execute.');
    }
    const cost = guard.admit(asking, { schema, document, operationName, variables });
    const args = { schema, document, variableValues: variables, operationName };
    // Made when its turn has come: what waits has as little in memory as it can.
    return perform({ caller, cost, arrivedAt: asking.arrivedAt }, args, () => {
      const contextValue = createContext(caller, selects);
      return execute({ schema, document, contextValue, variableValues: variables, operationName });
    });
  };
}
