import type { z } from '../lib/zod.ts';
import { dependentDefaults, environment, writtenDefaults } from './environment.ts';
import { readVariables } from './variables.ts';

/** A variable with the value in force. */
export interface DescribedVariable {
  name: string;
  /** Secrets are masked. `null` if the variable is unset and has no default. */
  value: string | null;
  source: 'default' | 'environment' | 'file';
}

/** Parameters of a URL that are never secret. */
const plainParameters = ['sslmode', 'host', 'port', 'target_session_attrs'];

/** Masks the password of a URL and all parameters but the plain ones, also their names. */
function maskedUrl(text: string): string {
  const url = new URL(text);
  const parameters = [...url.searchParams].map(([name, value]) =>
    plainParameters.includes(name) ? `${name}=${value}` : '***',
  );
  if (url.password !== '') url.password = '***';
  if (parameters.length > 0) url.search = parameters.join('&');
  return url.href;
}

/**
 * Returns every variable of the service with the value in force, without secrets. Does not check that the variables
 * suit each other.
 * @throws ConfigError that names every invalid variable
 */
export function describeConfig(env: NodeJS.ProcessEnv = process.env): DescribedVariable[] {
  const { given, values } = readVariables(environment, env);
  const defaults = writtenDefaults();
  const dependent: Record<string, unknown> = dependentDefaults(values);
  return Object.entries<z.ZodType>(environment.shape).map(([name, variable]) => {
    const { byDefault, isUrl } = defaults.get(name) ?? {};
    const found = given.get(name);
    if (found === undefined) {
      const value = byDefault ?? dependent[name];
      return { name, value: value === undefined ? null : String(value), source: 'default' };
    }
    const isSecret = variable.meta()?.secret === true;
    const shown = isUrl ? maskedUrl(found.text) : isSecret ? '***' : found.text;
    return { name, value: shown, source: found.file === undefined ? 'environment' : 'file' };
  });
}
