import { SpanStatusCode } from '@opentelemetry/api';
import { type ExecutionResult, execute, getOperationAST } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Tracing } from '../observe/trace.ts';
import { createExecutor } from './compiled.ts';
import { maskError } from './mask.ts';

const acceptsParts = /multipart\/mixed|text\/event-stream/;
const asksForParts = /@(defer|stream)\b/;

interface Executed {
  request: Request;
  params: { query?: string };
}

/**
 * Runs documents without yoga's executor: that one can defer and stream, but gives the fields of an answer in the order
 * in which they were resolved. Where the client takes no parts, the answer comes whole.
 */
export function useExecution({ isTraced }: { isTraced: boolean }): Plugin {
  let run: typeof execute = execute;
  return {
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
}

/** A span for each operation, with the codes of the errors in its answer. Of an answer in parts, it sees the first. */
export function useOperationSpans(tracing: Tracing): Plugin {
  return {
    onExecute({ args, executeFn, setExecuteFn }) {
      const operation = getOperationAST(args.document, args.operationName);
      const type = operation?.operation ?? 'query';
      const name = operation?.name?.value;
      const attributes = { 'graphql.operation.type': type, ...(name && { 'graphql.operation.name': name }) };
      setExecuteFn((given) =>
        tracing.operation(name === undefined ? type : `${type} ${name}`, attributes, async (span) => {
          const answer = await executeFn(given);
          const codes = ((answer as ExecutionResult).errors ?? []).map(
            (error) => maskError(error).extensions.code as string,
          );
          if (codes.length > 0) span.setAttribute('graphql.error.codes', codes);
          if (codes.includes('INTERNAL_SERVER_ERROR')) span.setStatus({ code: SpanStatusCode.ERROR });
          return answer;
        }),
      );
    },
  };
}
