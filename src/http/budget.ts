import { LRUCache } from 'lru-cache';
import type { Viewer } from '../ctx.ts';

const windowS = 60;
/** Keys whose budgets are remembered; one that is forgotten had no request for a long time, and begins anew. */
const maxKeys = 10_000;

export interface Decision {
  allowed: boolean;
  /** The greatest budget, and what is left of it. */
  limit: number;
  remaining: number;
  /** How much comes back each second. */
  perSecond: number;
  /** What the answer tells of it. */
  headers(): Record<string, string>;
}

/** Takes a cost from the budget of a caller's key, or refuses it and takes nothing. */
export type Spend = (viewer: Viewer, cost: number) => Decision;

interface Budget {
  left: number;
  atMs: number;
}

/**
 * A budget for each key, a bucket that fills evenly. Nothing runs while nothing is asked: what has come back since is
 * added when the key is used. A cost above the whole budget takes all of it.
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
