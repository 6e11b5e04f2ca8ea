import { StartupError } from '../lib/errors.ts';

function canGenerateCode(): boolean {
  try {
    Function();
    return true;
  } catch {
    return false;
  }
}

/**
 * Requires the flag of Node.js that the first line of main.ts names. A running process cannot set it, because V8 reads
 * it when it creates the global object.
 * @throws StartupError if strings can be run as code
 */
export function requireNoCodeGeneration(): void {
  if (!canGenerateCode()) return;
  throw new StartupError(
    'This process can run strings as code. Start the service as `accountgraph`, or with `node --disallow-code-generation-from-strings`.',
  );
}
