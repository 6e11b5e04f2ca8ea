import { SpanStatusCode } from '@opentelemetry/api';
import { RequestCache } from '@pothos/plugin-scope-auth';
import { type ExecutionArgs, type ExecutionResult, execute, getOperationAST } from 'graphql';
import { isPromise, type Plugin } from 'graphql-yoga';
import type { Asking, RunOperation } from '../http/lanes.ts';
import type { Tracing } from '../observe/trace.ts';
import { maskError } from './mask.ts';

const acceptsParts = /multipart\/mixed|text\/event-stream/;
const asksForParts = /@(defer|stream)\b/;
/** yoga's executor takes an object with the response name `then` for a promise, and fails. */
const looksLikePromise = /\bthen\s*:/;

type Execute = typeof execute;

interface Executed {
  request: Request;
  params: { query?: string };
}

/** Each error of a variable shows its whole value, so an answer holds few of them. */
const options = { maxCoercionErrors: 5 };

/** Runs a document with graphql-js. */
export const runDocument: Execute = (args) => {
  // V8 frees entries of a WeakMap only in a full collection, so the cache of the request is cleared now.
  const clearCache = (result: ExecutionResult): ExecutionResult => {
    RequestCache.clearForContext(args.contextValue as object);
    return result;
  };
  const result = execute({ ...args, options });
  return isPromise(result) ? result.then(clearCache) : clearCache(result);
};

/**
 * Chooses the executor: yoga's for documents that use `@defer` or `@stream` and clients that accept parts, because
 * graphql-js has neither; graphql-js's for all others, because it keeps the order of the fields.
 */
export function useExecutor(): Plugin {
  return {
    onExecute({ args, setExecuteFn }) {
      const {
        request,
        params: { query = '' },
      } = args.contextValue as unknown as Executed;
      const inParts =
        asksForParts.test(query) &&
        !looksLikePromise.test(query) &&
        acceptsParts.test(request.headers.get('accept') ?? '');
      if (!inParts) setExecuteFn(runDocument);
    },
  };
}

/** A span for an operation, with the codes of the errors in its answer. Of an answer in parts, it sees the first. */
function inSpan(tracing: Tracing, run: Execute): Execute {
  return (args) => {
    const operation = getOperationAST(args.document, args.operationName);
    const type = operation?.operation ?? 'query';
    const name = operation?.name?.value;
    const attributes = { 'graphql.operation.type': type, ...(name && { 'graphql.operation.name': name }) };
    return tracing.operation(name === undefined ? type : `${type} ${name}`, attributes, async (span) => {
      const answer = await run(args);
      const codes = (answer.errors ?? []).map((error) => maskError(error).extensions.code as string);
      if (codes.length > 0) span.setAttribute('graphql.error.codes', codes);
      if (codes.includes('INTERNAL_SERVER_ERROR')) span.setStatus({ code: SpanStatusCode.ERROR });
      return answer;
    });
  };
}

/** Runs an operation beside those of other tenants, and not for ever. */
export type Perform = (asking: Asking, args: ExecutionArgs, run: Execute) => ReturnType<Execute>;

export function createPerform(runOperation: RunOperation, tracing: Tracing | undefined): Perform {
  return (asking, args, run) => {
    const traced = tracing === undefined ? run : inSpan(tracing, run);
    return runOperation(asking, () => traced(args));
  };
}

/** The same for every operation of a server. Comes after what chooses the executor. */
export function useOperations(perform: Perform): Plugin {
  return {
    onExecute({ executeFn, setExecuteFn, args }) {
      const asking = args.contextValue as unknown as Asking;
      setExecuteFn((given) => perform(asking, given, executeFn));
    },
  };
}
