import { execute } from 'graphql';
import type { Plugin } from 'graphql-yoga';

const acceptsParts = /multipart\/mixed|text\/event-stream/;
const asksForParts = /@(defer|stream)\b/;

interface Executed {
  request: Request;
  params: { query?: string };
}

/**
 * Runs documents with graphql-js's own executor: yoga's, which can defer and stream, gives the fields of an answer in
 * the order in which they were resolved. Where the client takes no parts, the answer comes whole.
 */
export function useExecution(): Plugin {
  return {
    onExecute({ args, setExecuteFn }) {
      const { request, params } = args.contextValue as unknown as Executed;
      const inParts =
        asksForParts.test(params.query ?? '') && acceptsParts.test(request.headers.get('accept') ?? '');
      if (!inParts) setExecuteFn(execute);
    },
  };
}
