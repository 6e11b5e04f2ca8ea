#!/usr/bin/env -S node --disallow-code-generation-from-strings
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { createProgram } from './cli/program.ts';
import { StartupError, UsageError } from './lib/errors.ts';

/** Prints an unexpected error, and returns the exit code. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    // It has printed its message.
    return error.exitCode === 0 ? 0 : new UsageError().exitCode;
  }
  console.error(error instanceof StartupError ? error.message : error);
  return error instanceof StartupError ? error.exitCode : 1;
}

// Stack traces then name the files of src/ instead of the bundle.
process.setSourceMapsEnabled(true);
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const args = process.argv.slice(2);
createProgram(version)
  .parseAsync(args.length === 0 ? ['serve'] : args, { from: 'user' })
  .catch((error: unknown) => process.exit(exitCodeOf(error)));
