import { spawn } from 'node:child_process';
import { once } from 'node:events';

const flag = '--disallow-code-generation-from-strings';

/** Returns whether this process can run strings as code. */
export function canGenerateCode(): boolean {
  try {
    Function();
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs the service in a child process with the flag of Node.js that the first line of main.ts names, and exits when the
 * child does. A running process cannot set the flag, because V8 reads it when it creates the global object.
 */
export async function serveInChild(): Promise<never> {
  const [, program = ''] = process.argv;
  const args = [...process.execArgv, flag, program, 'serve', '--ends-with-parent'];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const [code] = await once(child, 'exit');
  process.exit(typeof code === 'number' ? code : 1);
}
