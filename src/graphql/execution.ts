import { SpanStatusCode } from '@opentelemetry/api';
import { type ExecutionArgs, execute, getOperationAST } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Asking, RunOperation } from '../http/lanes.ts';
import type { Tracing } from '../observe/trace.ts';
import { createExecutor } from './compiled.ts';
import { maskError } from './mask.ts';

const acceptsParts = /multipart\/mixed|text\/event-stream/;
const asksForParts = /@(defer|stream)\b/;

type Execute = typeof execute;

interface Executed {
  request: Request;
  params: { query?: string };
}

/**
 * Runs documents without yoga's executor: that one can defer and stream, but gives the fields of an answer in the order
 * in which they were resolved. Where the client takes no parts, the answer comes whole.
 */
export function createExecution({ isTraced }: { isTraced: boolean }): { plugin: Plugin; execute: Execute } {
  let run: Execute = execute;
  const plugin: Plugin = {
    onSchemaChange({ schema }) {
      // What is compiled is not seen by who times each field.
      if (!isTraced) run = createExecutor(schema);
    },
    onExecute({ args, setExecuteFn }) {
      const { request, params } = args.contextValue as unknown as Executed;
      const inParts =
        asksForParts.test(params.query ?? '') && acceptsParts.test(request.headers.get('accept') ?? '');
      if (!inParts) setExecuteFn(run);
    },
  };
  return { plugin, execute: (args) => run(args) };
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
