import { readFileSync } from 'node:fs';
import { StartupError } from '../lib/errors.ts';
import type { z } from '../lib/zod.ts';

type Variables = Record<string, z.ZodType>;

/** The text of a variable, and the file that holds it, if any. */
export interface Given {
  text: string;
  file?: string;
}

/** Variables are invalid. Each problem is a sentence that names a variable, and quotes no value. */
export class ConfigError extends StartupError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join(' '));
    this.problems = problems;
  }
}

/** Returns the variable that can name a file with the value of a secret; undefined for other variables. */
export function fileVariableOf(name: string, variable: z.ZodType): string | undefined {
  return variable.meta()?.secret === true ? `${name}_FILE` : undefined;
}

/**
 * Returns the text of a variable from the environment or from its file. An empty variable counts as absent, but an
 * empty file does not.
 * @throws ConfigError if both are given or the file cannot be read
 */
function findGiven(name: string, variable: z.ZodType, env: NodeJS.ProcessEnv): Given | undefined {
  const text = env[name] || undefined;
  const fileVariable = fileVariableOf(name, variable);
  const file = (fileVariable && env[fileVariable]) || undefined;
  if (file === undefined) return text === undefined ? undefined : { text };
  if (text !== undefined) throw new ConfigError([`Set only one of ${name} and ${fileVariable}.`]);
  try {
    return { text: readFileSync(file, 'utf8').replace(/\r?\n$/, ''), file };
  } catch (error) {
    throw new ConfigError([
      `${fileVariable} names ${file}, which cannot be read: ${(error as Error).message}.`,
    ]);
  }
}

function problemOf(name: string, variable: z.ZodType | undefined, file: string | undefined): string {
  const must = variable?.meta()?.must;
  return file === undefined
    ? `${name} must be ${must}.`
    : `${name}_FILE names ${file}, which must hold ${must}.`;
}

/**
 * Reads the variables of a schema. Returns the given texts and the parsed values.
 * @throws ConfigError that names every invalid variable
 */
export function readVariables<Shape extends Variables>(schema: z.ZodObject<Shape>, env: NodeJS.ProcessEnv) {
  const given = new Map<string, Given>();
  const problems: string[] = [];
  for (const [name, variable] of Object.entries<z.ZodType>(schema.shape)) {
    try {
      const found = findGiven(name, variable, env);
      if (found !== undefined) given.set(name, found);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
    }
  }
  const parsed = schema.safeParse(Object.fromEntries([...given].map(([name, { text }]) => [name, text])));
  const invalid = new Set(parsed.error?.issues.map(({ path }) => String(path[0])));
  for (const name of invalid) problems.push(problemOf(name, schema.shape[name], given.get(name)?.file));
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return { given, values: parsed.data };
}
