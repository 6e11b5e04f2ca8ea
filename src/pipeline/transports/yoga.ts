import type { IncomingMessage, ServerResponse } from 'node:http';
import { useDeferStream } from '@graphql-yoga/plugin-defer-stream';
import type { GraphQLSchema } from 'graphql';
import { createYoga, isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Validate } from '../document.ts';
import type { Engine, Exchange, Part } from '../exchange.ts';
import { headersOf, type Respond } from '../respond.ts';

type Parts = Part | AsyncIterable<Part>;

/** The server context of yoga. */
interface ServerContext {
  exchange: Exchange;
  /** Runs the pipeline. */
  work(engine: Engine): Parts | Promise<Parts>;
}

/** The features of yoga that are disabled, because the pipeline replaces them. */
const switchedOff = {
  logging: false,
  graphiql: false,
  landingPage: false,
  cors: false,
  multipart: false,
  maskedErrors: false,
  parserAndValidationCache: false,
  maxRequestBodySize: false,
} as const;

/** Makes yoga run the pipeline instead of its own steps, and format results as the pipeline does. */
function usePipeline(
  respond: Respond,
  engineFor: (context: object) => Engine,
): Plugin<ServerContext, ServerContext> {
  return {
    onRequestParse({ setRequestParser }) {
      // The pipeline reads the request itself.
      setRequestParser(() => ({ query: '{ __typename }' }));
    },
    onParams({ request, context, setParamsHandler }) {
      const { work } = context as unknown as ServerContext;
      // As in yoga's own handler: plugins identify a request by its context.
      Object.assign(context, { request });
      setParamsHandler((() => work(engineFor(context))) as never);
    },
    onResultProcess({ result, setResult, setResultProcessor, serverContext }) {
      const { exchange } = serverContext as ServerContext;
      const { json, whole } = exchange.accepts ?? {};
      const type = whole === undefined ? (json ?? 'application/json') : json;
      if (isAsyncIterable(result) || type === undefined) {
        setResult(respond.show(exchange, result as Parts) as never);
        return;
      }
      const toResponse: Parameters<typeof setResultProcessor>[0] = async (whole, fetchAPI) => {
        const { body, status, headers } = await respond.json(exchange, whole as Part);
        return new fetchAPI.Response(body as string, { status, headers });
      };
      setResultProcessor(toResponse, type);
    },
    onResponse({ response, serverContext }) {
      const { exchange } = serverContext as unknown as ServerContext;
      for (const [name, value] of Object.entries(headersOf(exchange))) response.headers.set(name, value);
      // Node.js knows whether the connection stays open and how the body ends.
      for (const name of ['connection', 'transfer-encoding']) response.headers.delete(name);
    },
  };
}

/**
 * Makes yoga a transport of the pipeline. It writes streams (server-sent events and multipart), and runs requests whose
 * plugins need yoga.
 */
export function createYogaTransport(schema: GraphQLSchema, respond: Respond, plugins: Plugin[] = []) {
  const engineFor = (context: object): Engine => {
    const enveloped = yoga.getEnveloped(context as never);
    return { schema: enveloped.schema, executeInParts: enveloped.execute as never, contextBase: context };
  };
  const yoga = createYoga<ServerContext>({
    schema,
    plugins: [useDeferStream(), ...plugins, usePipeline(respond, engineFor) as never],
    ...switchedOff,
  });
  const enveloped = yoga.getEnveloped({} as never);
  const engine: Engine = { schema: enveloped.schema, executeInParts: enveloped.execute as never };
  return {
    /** Runs requests without yoga around them. */
    engine,
    validate: enveloped.validate as Validate,
    /** Answers a request with the result of `work`, as the given media type. */
    async answer(
      incoming: IncomingMessage,
      response: ServerResponse,
      type: string,
      context: ServerContext,
    ): Promise<void> {
      incoming.headers.accept = type;
      await yoga(incoming, response, context);
    },
  };
}

export type YogaTransport = ReturnType<typeof createYogaTransport>;
