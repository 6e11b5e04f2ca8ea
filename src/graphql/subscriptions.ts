import { createSourceEventStream, type ExecutionArgs, execute } from 'graphql';
import { isAsyncIterable, mapAsyncIterator, type Plugin } from 'graphql-yoga';
import type { Ctx } from '../ctx.ts';

/** Answers each event of a subscription with a context of its own: its own instant, and loaders that remember nothing. */
export function useSubscriptions<Context>(createContext: (context: Context) => Ctx): Plugin {
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(async (args: ExecutionArgs) => {
        const events = await createSourceEventStream(args);
        if (!isAsyncIterable(events)) return events;
        const context = args.contextValue as Context;
        return mapAsyncIterator(events, (rootValue) =>
          execute({ ...args, rootValue, contextValue: { ...context, ...createContext(context) } }),
        );
      });
    },
  };
}
