#!/usr/bin/env -S node --disallow-code-generation-from-strings
import { usage } from './cli/usage.ts';
import { StartupError } from './lib/errors.ts';

type Command = (args: string[]) => void | Promise<void>;

/** Wraps a command without arguments. Rejects an argument, which the command would silently ignore. */
function plain(load: () => Promise<() => void | Promise<void>>): Command {
  return async (args) => {
    if (args.length > 0)
      throw new StartupError(`Unexpected argument ${JSON.stringify(args[0])}. Usage:\n${usage}`);
    const command = await load();
    return command();
  };
}

/** Commands import their modules when they run, because the GraphQL schema is slow to load. */
const commands: Readonly<Record<string, Command>> = {
  serve: plain(async () => (await import('./cli/serve.ts')).serveCommand),
  migrate: plain(async () => (await import('./cli/migrate.ts')).migrateCommand),
  tenants: async (args) => (await import('./cli/tenants.ts')).tenantsCommand(args),
  keys: async (args) => (await import('./cli/keys.ts')).keysCommand(args),
  listen: async (args) => (await import('./cli/listen.ts')).listenCommand(args),
  schema: plain(async () => (await import('./cli/schema.ts')).schemaCommand),
  help: () => console.log(usage),
  '--help': () => console.log(usage),
};

async function run([name = 'serve', ...args]: string[]): Promise<void> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined)
    throw new StartupError(`Unknown command ${JSON.stringify(name)}. Usage:\n${usage}`);
  await command(args);
}

// Stack traces then name the files of src/ instead of the bundle.
process.setSourceMapsEnabled(true);
run(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof StartupError ? error.message : error);
  process.exit(1);
});
