import type { Config } from '../../config.ts';
import { StartupError, UnavailableError } from '../../lib/errors.ts';
import { databaseProblem, isDatabaseError, rootOf } from '../database.ts';

/** The result of a check of `accountgraph doctor`. */
export interface Check {
  name: string;
  /** A problem makes the service fail, now or soon. With a warning, it runs but lacks something. */
  status: 'ok' | 'warning' | 'problem';
  message: string;
  /** What to do. `null` if nothing. */
  advice: string | null;
}

export function ok(name: string, message: string): Check {
  return { name, status: 'ok', message, advice: null };
}

export function warning(name: string, message: string, advice: string): Check {
  return { name, status: 'warning', message, advice };
}

export function problem(name: string, message: string, advice: string): Check {
  return { name, status: 'problem', message, advice };
}

export const isProblem = ({ status }: Check): boolean => status === 'problem';

/** Splits the message of a StartupError: its first sentence says what is wrong, the others what to do. */
function problemOf(name: string, { message }: Error, advice: string): Check {
  const [, wrong = message, toDo = advice] = /^(.*?\.) ([A-Z].*)$/s.exec(message) ?? [];
  return problem(name, wrong, toDo);
}

/**
 * Runs checks. An error that would end a start becomes a problem.
 * @param advice what to do about an error that does not say it
 */
export async function attempt(
  name: string,
  { config, advice }: { config: Config; advice: string },
  work: () => Promise<Check | Check[]>,
): Promise<Check[]> {
  try {
    return [await work()].flat();
  } catch (error) {
    const explained = databaseProblem(error, config);
    if (explained instanceof StartupError) return [problemOf(name, explained, advice)];
    const cause = rootOf(error);
    if (!isDatabaseError(cause) && !(cause instanceof UnavailableError)) throw error;
    return [problem(name, `The database cannot be used: ${cause.message.replace(/\.$/, '')}.`, advice)];
  }
}
