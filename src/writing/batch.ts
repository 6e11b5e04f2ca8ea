import type { Ctx, Run } from '../ctx.ts';
import { UnavailableError } from '../lib/errors.ts';

/** Returns whether the database rolled a statement back, so that nothing was written. */
function wasTakenBack(error: unknown): boolean {
  return error instanceof UnavailableError ? error.reason === 'SLOW' : true;
}

/**
 * Writes in one batch with concurrent requests of the same group: one statement, one commit. Returns `undefined` if the
 * batch was rolled back; then each request must run alone.
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
