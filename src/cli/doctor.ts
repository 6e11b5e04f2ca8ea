import { styleText } from 'node:util';
import { ConfigError } from '../config/variables.ts';
import { type Config, readConfig } from '../config.ts';
import { type Check, isProblem, ok, problem } from './checks/check.ts';
import { checkDatabase } from './checks/database.ts';
import { checkEmbedded } from './checks/embedded.ts';
import { checkIssuer, checkKeys, checkTrustedDocuments } from './checks/trust.ts';
import { type Printed, printRows } from './output.ts';

function explainConfig(error: unknown): Check[] {
  if (!(error instanceof ConfigError)) throw error;
  const advice = 'Correct the variables. docs/operations.md lists what each of them must be.';
  return error.problems.map((message) => problem('configuration', message, advice));
}

/** Checks the database at DATABASE_URL, or the embedded one, which it does not start. */
async function checkStorage(config: Config, now: () => number): Promise<Check[]> {
  if (config.databaseUrl !== undefined) return checkDatabase(config, { url: config.databaseUrl }, now);
  const { checks, connection } = await checkEmbedded(config);
  return connection === undefined ? checks : [...checks, ...(await checkDatabase(config, connection, now))];
}

/**
 * Checks whether the service can run with its configuration and database. Changes nothing. Leaves out checks that
 * depend on a failed one.
 * @param env undefined: the environment of this process
 * @param now the time of this machine in milliseconds
 */
export async function runChecks(env?: NodeJS.ProcessEnv, now: () => number = Date.now): Promise<Check[]> {
  let config: Config;
  try {
    config = readConfig(env);
  } catch (error) {
    return explainConfig(error);
  }
  const [storage, issuer, documents] = await Promise.all([
    checkStorage(config, now),
    checkIssuer(config),
    checkTrustedDocuments(config),
  ]);
  const configuration = ok('configuration', 'Every variable is valid.');
  return [configuration, ...storage, ...checkKeys(config), ...issuer, ...documents];
}

/** Returns whether the service cannot run until a problem is solved. */
export function mustAct(checks: readonly Check[]): boolean {
  return checks.some(isProblem);
}

const marks = {
  ok: ['✓', 'green'],
  warning: ['!', 'yellow'],
  problem: ['✗', 'red'],
} as const;

/** Returns the lines of a check for a terminal. */
function describeCheck({ name, status, message, advice }: Check): string {
  const [mark, color] = marks[status];
  // Respects NO_COLOR.
  const shown = process.stdout.hasColors() ? styleText(color, mark) : mark;
  const lines = [`${shown} ${name}: ${message}`, ...(advice === null ? [] : [`  ${advice}`])];
  return lines.join('\n');
}

/** `accountgraph doctor`: prints the checks. The exit code is 1 if something must be done. */
export async function doctorCommand(options: Printed): Promise<void> {
  const checks = await runChecks();
  if (process.stdout.isTTY && !options.json) for (const check of checks) console.log(describeCheck(check));
  else {
    printRows(
      checks,
      {
        Status: ({ status }) => status,
        Name: ({ name }) => name,
        Message: ({ message }) => message,
        Advice: ({ advice }) => advice ?? '',
      },
      options,
    );
  }
  if (mustAct(checks)) process.exitCode = 1;
}
