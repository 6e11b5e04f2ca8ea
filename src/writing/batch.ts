import type { BatchItem, Ctx, Run } from '../ctx.ts';
import { UnavailableError } from '../lib/errors.ts';

/** Returns whether the database rolled a statement back, so that nothing was written. */
function wasRolledBack(error: unknown): boolean {
  return error instanceof UnavailableError ? error.reason === 'SLOW' : true;
}

/**
 * Writes in one batch with concurrent requests of the same group: one statement, one commit. Returns `undefined` if the
 * batch was rolled back; then each request must run alone.
 */
export function writeInBatch<Item, Result>(
  ctx: Ctx,
  group: string,
  request: BatchItem<Item>,
  write: (run: Run, items: readonly Item[]) => Promise<Result>,
): Promise<Result | undefined> {
  return ctx.batch(group, request, async (run, items) => {
    try {
      return await write(run, items);
    } catch (error) {
      if (items.length > 1 && wasRolledBack(error)) return undefined;
      throw error;
    }
  });
}
