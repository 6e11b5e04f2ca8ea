import { type GraphQLSchema, NoSchemaIntrospectionCustomRule, validate } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Viewer } from '../ctx.ts';
import type { Decision, Spend } from '../http/budget.ts';
import type { RunOperation } from '../http/lanes.ts';
import { type Asked, costs, createCostOf } from './cost.ts';
import { documentLimits, parseWithinLimits, tooComplex } from './limits.ts';
import { requestError } from './request.ts';

/** By this header a client asks for the cost of its request. */
const costHeader = 'graphql-cost';
/** A document that is wrong in more places is not what its sender thinks it is. */
const maxValidationErrors = 20;

export interface ProtectionOptions {
  /** undefined: requests may cost what they will. */
  spend: Spend | undefined;
  /** Whether the schema may be asked for, and guessed in messages. */
  exposesSchema: boolean;
}

interface ServerContext {
  request: Request;
  caller: { viewer: Viewer; cancel: AbortController };
  budget?: Decision;
}

interface Charged {
  cost: number;
  budget: Decision | undefined;
}

interface Executed {
  schema: GraphQLSchema;
  document: Asked['document'];
  operationName?: Asked['operationName'];
  variableValues?: Asked['variables'];
  contextValue: ServerContext;
}

/** What an answer says of its cost, under the names that Shopify gave it. */
function withCost<Result>(result: Result, { cost: requestedQueryCost, budget }: Charged): Result {
  const { extensions } = result as { extensions?: object };
  const throttleStatus = budget && {
    maximumAvailable: budget.limit,
    currentlyAvailable: budget.remaining,
    restoreRate: budget.perSecond,
  };
  const cost = { requestedQueryCost, maximumQueryCost: documentLimits.cost.maximum, throttleStatus };
  return { ...result, extensions: { ...extensions, cost } };
}

/** Adds the cost to an answer, or to the first part of one. */
const reportCost = (charged: Charged): Awaited<ReturnType<NonNullable<Plugin['onExecute']>>> => ({
  onExecuteDone({ result, setResult }) {
    if (!isAsyncIterable(result)) return setResult(withCost(result, charged));
    let isFirst = true;
    return {
      onNext({ result: part, setResult: setPart }) {
        if (isFirst) setPart(withCost(part, charged));
        isFirst = false;
      },
    };
  },
});

function overBudget({ headers }: Decision) {
  const message = `Your key has spent its budget; send this again in ${headers['retry-after']} s.`;
  return requestError('RATE_LIMITED', message, 429, { ...headers });
}

/** Takes what every request costs before its document is read, and the rest once that is known. */
function createCharge(spend: Spend | undefined) {
  return (context: ServerContext, cost: number): void => {
    if (spend === undefined) return;
    context.budget = spend(context.caller.viewer, cost);
    if (!context.budget.allowed) throw overBudget(context.budget);
  };
}

/** Refuses documents beyond the limits or the budget of their key, and tells the cost of the others to who asks. */
export function useProtection({ spend, exposesSchema }: ProtectionOptions): Plugin {
  const costOf = createCostOf();
  const charge = createCharge(spend);

  function admit({ variableValues, contextValue, ...asked }: Executed): number {
    const cost = costOf({ ...asked, variables: variableValues });
    if (cost > documentLimits.cost.maximum) throw tooComplex('cost', cost);
    charge(contextValue, cost - costs.request);
    return cost;
  }
  return {
    onParams({ context }) {
      charge(context as unknown as ServerContext, costs.request);
    },
    onParse({ setParseFn }) {
      setParseFn((source) => parseWithinLimits(String(source)));
    },
    onValidate({ addValidationRule, setValidationFn }) {
      const options = { maxErrors: maxValidationErrors, hideSuggestions: !exposesSchema };
      setValidationFn((schema, document, rules) => validate(schema, document, rules, options));
      if (!exposesSchema) addValidationRule(NoSchemaIntrospectionCustomRule);
    },
    onExecute({ args }) {
      const executed = args as unknown as Executed;
      const cost = admit(executed);
      const { request, budget } = executed.contextValue;
      return request.headers.get(costHeader) === 'report' ? reportCost({ cost, budget }) : undefined;
    },
    onSubscribe({ args }) {
      admit(args as unknown as Executed);
    },
    onResponse({ response, serverContext }) {
      const { headers = {} } = (serverContext as unknown as ServerContext).budget ?? {};
      for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    },
  };
}

/** Runs operations beside those of other tenants, and not for ever. Comes after what chooses the executor. */
export function useOperations(runOperation: RunOperation): Plugin {
  return {
    onExecute({ executeFn, setExecuteFn, args }) {
      const { viewer, cancel } = (args as unknown as Executed).contextValue.caller;
      setExecuteFn((given) => runOperation(viewer, cancel, () => executeFn(given)));
    },
  };
}
