import type { Ctx, Run } from '../ctx.ts';
import { UnavailableError } from '../lib/errors.ts';

/** Whether the database took a statement back: nothing of it was written. */
function wasTakenBack(error: unknown): boolean {
  return error instanceof UnavailableError ? error.reason === 'SLOW' : true;
}

/**
 * Writes for all requests of a tenant that ask for the like at the moment: one statement, one commit for all of them.
 * `undefined` when it was taken back because of one of them; then each goes on by itself.
 */
export function writeTogether<Ask, Answer>(
  ctx: Ctx,
  group: string,
  asking: { ask: Ask; size: number; maxSize: number },
  write: (run: Run, asks: readonly Ask[]) => Promise<Answer>,
): Promise<Answer | undefined> {
  return ctx.share(group, asking, async (run, asks) => {
    try {
      return await write(run, asks);
    } catch (error) {
      if (asks.length > 1 && wasTakenBack(error)) return undefined;
      throw error;
    }
  });
}
