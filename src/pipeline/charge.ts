import type { GraphQLError } from 'graphql';
import type { Decision, Spend } from '../http/budget.ts';
import { costs, createCostOf, type Priced } from './cost.ts';
import { type Exchange, isEvents, type Part, type Result } from './exchange.ts';
import { documentLimits, tooComplex } from './limits.ts';
import { requestError } from './request-error.ts';

/** A client that sends this header with the value `report` gets the cost of its request. */
export const costHeader = 'graphql-cost';

function overBudget(decision: Decision): GraphQLError {
  const headers = decision.headers();
  const message = `The budget of your key is used up. Try again in ${headers['retry-after']} s.`;
  return requestError('RATE_LIMITED', message, 429, headers);
}

export interface Charge {
  /** Charges the fixed cost of a request, before its document is read. */
  begin(exchange: Exchange): void;
  /** Charges the rest, and returns the total cost. Throws QUERY_TOO_COMPLEX or RATE_LIMITED. */
  finish(exchange: Exchange, priced: Priced): number;
}

/** Charges requests to the budget of their key. Without `spend`, there are no budgets. */
export function createCharge(spend: Spend | undefined): Charge {
  const costOf = createCostOf();
  function take(exchange: Exchange, cost: number): void {
    if (spend === undefined || exchange.caller === undefined) return;
    exchange.budget = spend(exchange.caller.viewer, cost);
    if (!exchange.budget.allowed) throw overBudget(exchange.budget);
  }
  return {
    begin: (exchange) => take(exchange, costs.request),
    finish(exchange, priced) {
      const cost = costOf(priced);
      if (cost > documentLimits.cost.maximum) throw tooComplex('cost', cost);
      take(exchange, cost - costs.request);
      return cost;
    },
  };
}

/** Adds the cost to a result, under the names that Shopify uses. */
function withCost(part: Part, requestedQueryCost: number, budget: Decision | undefined): Part {
  const throttleStatus = budget && {
    maximumAvailable: budget.limit,
    currentlyAvailable: budget.remaining,
    restoreRate: budget.perSecond,
  };
  const cost = { requestedQueryCost, maximumQueryCost: documentLimits.cost.maximum, throttleStatus };
  return { ...part, extensions: { ...part.extensions, cost } };
}

async function* firstWithCost(parts: AsyncIterable<Part>, report: (part: Part) => Part) {
  let isFirst = true;
  for await (const part of parts) {
    yield isFirst ? report(part) : part;
    isFirst = false;
  }
}

/** Adds the cost to a result, or to its first part, if the client requests it. */
export function reportCost(exchange: Exchange, cost: number, result: Result): Result {
  if (exchange.header(costHeader) !== 'report') return result;
  const report = (part: Part) => withCost(part, cost, exchange.budget);
  if (isEvents(result)) return result;
  return Symbol.asyncIterator in result ? firstWithCost(result, report) : report(result);
}
