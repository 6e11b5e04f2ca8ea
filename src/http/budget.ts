import { LRUCache } from 'lru-cache';
import type { Viewer } from '../ctx.ts';

const windowS = 60;
/** Budgets kept in memory. The least recently used key is dropped, and starts with a full budget again. */
const maxKeys = 10_000;

export interface Decision {
  allowed: boolean;
  /** The full budget, and what is left of it. */
  limit: number;
  remaining: number;
  /** Cost refilled each second. */
  perSecond: number;
  /** The response headers that report the budget. */
  headers(): Record<string, string>;
}

/** Takes a cost from the budget of a key. A refused cost takes nothing. */
export type Spend = (viewer: Viewer, cost: number) => Decision;

interface Budget {
  left: number;
  atMs: number;
}

/**
 * Creates a token bucket for each key, refilled when the key is used. A cost above the full budget needs a full budget
 * and empties it.
 */
export function createBudgets(costPerMinute: number, now: () => number = Date.now): Spend {
  const budgets = new LRUCache<string, Budget>({ max: maxKeys });
  const perSecond = costPerMinute / windowS;

  function budgetOf({ tenant, actor }: Viewer): Budget {
    const key = `${tenant.id}:${actor}`;
    const atMs = now();
    const budget = budgets.get(key);
    if (budget === undefined) {
      const full = { left: costPerMinute, atMs };
      budgets.set(key, full);
      return full;
    }
    const elapsedS = Math.max(0, atMs - budget.atMs) / 1000;
    budget.left = Math.min(costPerMinute, budget.left + elapsedS * perSecond);
    budget.atMs = atMs;
    return budget;
  }
  return (viewer, cost) => {
    const budget = budgetOf(viewer);
    const price = Math.min(cost, costPerMinute);
    const allowed = price <= budget.left;
    if (allowed) budget.left -= price;
    const remaining = Math.floor(budget.left);
    const seconds = (missing: number) => String(Math.ceil(missing / perSecond));
    const { left } = budget;
    const headers = () => ({
      'ratelimit-limit': String(costPerMinute),
      'ratelimit-remaining': String(remaining),
      'ratelimit-reset': seconds(costPerMinute - left),
      ...(allowed ? {} : { 'retry-after': seconds(price - left) }),
    });
    return { allowed, limit: costPerMinute, remaining, perSecond, headers };
  };
}
