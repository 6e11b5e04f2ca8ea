#!/usr/bin/env -S node --disallow-code-generation-from-strings
import { usage } from './cli/usage.ts';
import { StartupError } from './lib/errors.ts';

type Command = (args: string[]) => void | Promise<void>;

/** A command that takes no arguments: one that is given would be ignored in silence. */
function plain(load: () => Promise<() => void | Promise<void>>): Command {
  return async (args) => {
    if (args.length > 0) throw new StartupError(`${JSON.stringify(args[0])} is too much. Usage:\n${usage}`);
    const command = await load();
    return command();
  };
}

/** Each loads only what it needs: the GraphQL side takes a quarter of a second. */
const commands: Readonly<Record<string, Command>> = {
  serve: plain(async () => (await import('./cli/serve.ts')).serveCommand),
  migrate: plain(async () => (await import('./cli/migrate.ts')).migrateCommand),
  tenants: async (args) => (await import('./cli/tenants.ts')).tenantsCommand(args),
  keys: async (args) => (await import('./cli/keys.ts')).keysCommand(args),
  schema: plain(async () => (await import('./cli/schema.ts')).schemaCommand),
  help: () => console.log(usage),
  '--help': () => console.log(usage),
};

async function run([name = 'serve', ...args]: string[]): Promise<void> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined)
    throw new StartupError(`There is no command ${JSON.stringify(name)}. Usage:\n${usage}`);
  await command(args);
}

// A stack names the files of src/, not those that they are bundled into.
process.setSourceMapsEnabled(true);
run(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof StartupError ? error.message : error);
  process.exit(1);
});
