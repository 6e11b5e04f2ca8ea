import type { GraphQLSchema } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import { type Asked, createCostOf } from './cost.ts';
import { documentLimits, parseWithinLimits, tooComplex } from './limits.ts';

/** By this header a client asks for the cost of its request. */
const costHeader = 'graphql-cost';

interface Executed {
  schema: GraphQLSchema;
  document: Asked['document'];
  operationName?: Asked['operationName'];
  variableValues?: Asked['variables'];
  contextValue: { request: Request };
}

/** What an answer says of its cost, under the names that Shopify gave it. */
function withCost<Result>(result: Result, requestedQueryCost: number): Result {
  const { extensions } = result as { extensions?: object };
  const cost = { requestedQueryCost, maximumQueryCost: documentLimits.cost.maximum };
  return { ...result, extensions: { ...extensions, cost } };
}

/** Refuses documents beyond the limits, and tells the cost of the others to who asks. */
export function useDocumentLimits(): Plugin {
  const costOf = createCostOf();

  function checkCost({ variableValues, ...asked }: Executed): number {
    const cost = costOf({ ...asked, variables: variableValues });
    if (cost > documentLimits.cost.maximum) throw tooComplex('cost', cost);
    return cost;
  }
  return {
    onParse({ setParseFn }) {
      setParseFn((source) => parseWithinLimits(String(source)));
    },
    onExecute({ args }) {
      const executed = args as unknown as Executed;
      const cost = checkCost(executed);
      if (executed.contextValue.request.headers.get(costHeader) !== 'report') return undefined;
      return {
        onExecuteDone({ result, setResult }) {
          if (!isAsyncIterable(result)) return setResult(withCost(result, cost));
          let isFirst = true;
          return {
            onNext({ result: part, setResult: setPart }) {
              if (isFirst) setPart(withCost(part, cost));
              isFirst = false;
            },
          };
        },
      };
    },
    onSubscribe({ args }) {
      checkCost(args as unknown as Executed);
    },
  };
}
