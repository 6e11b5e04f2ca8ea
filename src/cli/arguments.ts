import { type ParseArgsConfig, parseArgs } from 'node:util';
import { StartupError } from '../lib/errors.ts';

export function usageError(usage: string): StartupError {
  return new StartupError(`Usage:\n${usage}`);
}

/** Parses the arguments of a command. Throws StartupError with the usage if an option is unknown. */
export function parseArguments<Options extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: Options,
  usage: string,
) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!code?.startsWith('ERR_PARSE_ARGS')) throw error;
    throw new StartupError(`${message.split('. ')[0]}. Usage:\n${usage}`);
  }
}
