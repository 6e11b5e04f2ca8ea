import {
  type ASTVisitor,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  type ValidationContext,
  validate,
} from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Viewer } from '../ctx.ts';
import type { Decision, Spend } from '../http/budget.ts';
import { type Asked, costs, createCostOf } from './cost.ts';
import { documentLimits, parseWithinLimits, tooComplex } from './limits.ts';
import { requestError } from './request.ts';

/** By this header a client asks for the cost of its request. */
export const costHeader = 'graphql-cost';
/** A document that is wrong in more places is not what its sender thinks it is. */
const maxValidationErrors = 20;

export interface ProtectionOptions {
  guard: Guard;
  /** Whether the schema may be asked for, and guessed in messages. */
  exposesSchema: boolean;
}

/** Whose budget is charged, and what is left of it. */
interface Charging {
  caller: { viewer: Viewer };
  cost?: number;
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
  contextValue: Charging & { request: Request };
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

function overBudget(decision: Decision) {
  const headers = decision.headers();
  const message = `Your key has spent its budget; send this again in ${headers['retry-after']} s.`;
  return requestError('RATE_LIMITED', message, 429, headers);
}

export interface Guard {
  /** Takes what every request costs before its document is read. */
  charge(charging: Charging): void;
  /** Takes the rest, which is now known, and tells the whole. Throws when a limit or the budget is passed. */
  admit(charging: Charging, asked: Asked): number;
}

/** Refuses documents beyond the limits or the budget of their key. `spend` undefined: requests may cost what they will. */
export function createGuard(spend: Spend | undefined): Guard {
  const costOf = createCostOf();
  function take(charging: Charging, cost: number): void {
    if (spend === undefined) return;
    charging.budget = spend(charging.caller.viewer, cost);
    if (!charging.budget.allowed) throw overBudget(charging.budget);
  }
  return {
    charge: (charging) => take(charging, costs.request),
    admit(charging, asked) {
      const cost = costOf(asked);
      if (cost > documentLimits.cost.maximum) throw tooComplex('cost', cost);
      take(charging, cost - costs.request);
      charging.cost = cost;
      return cost;
    },
  };
}

/** What is found in a document is remembered with it; the trace of an error would keep all that the search has made: 60 KB. */
function withoutTrace(error: GraphQLError): GraphQLError {
  error.stack = error.message;
  return error;
}

/** A subscription whose one field is left out would be one to nothing, which graphql-js does not look for. */
function subscriptionsAreWhole(context: ValidationContext): ASTVisitor {
  return {
    Directive(node) {
      const isAtRoot = context.getParentType() === context.getSchema().getSubscriptionType();
      if (!isAtRoot || !['skip', 'include'].includes(node.name.value)) return;
      const message = 'What a subscription is to takes no @skip and no @include.';
      context.reportError(new GraphQLError(message, { nodes: node }));
    },
  };
}

/** Guards every request of a server, and tells the cost to who asks. */
export function useProtection({ guard, exposesSchema }: ProtectionOptions): Plugin {
  const admit = ({ variableValues, contextValue, ...asked }: Executed) =>
    guard.admit(contextValue, { ...asked, variables: variableValues });
  return {
    onParams({ context }) {
      guard.charge(context as unknown as Charging);
    },
    onParse({ setParseFn }) {
      setParseFn((source) => parseWithinLimits(String(source)));
    },
    onValidate({ addValidationRule, setValidationFn }) {
      const options = { maxErrors: maxValidationErrors, hideSuggestions: !exposesSchema };
      setValidationFn((schema, document, rules) =>
        validate(schema, document, rules, options).map(withoutTrace),
      );
      addValidationRule(subscriptionsAreWhole);
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
      const { budget } = serverContext as unknown as Charging;
      for (const [name, value] of Object.entries(budget?.headers() ?? {})) response.headers.set(name, value);
    },
  };
}
