import tab from '@bomb.sh/tab/commander';
import { Command, Option } from 'commander';
import { existingModes, exportFormats, importFormats, recordTypes } from '../import/rules.ts';
import type { Printed } from './output.ts';

/** Returns the text after the help of a command. */
function examples(...lines: string[]): string {
  return ['', 'Examples:', ...lines.map((line) => `  $ accountgraph ${line}`)].join('\n');
}

/** Each command imports its module when it runs, because the GraphQL schema is slow to load. */
function addServiceCommands(program: Command): void {
  program
    .command('serve')
    .description('run the service (the default command)')
    .addOption(new Option('--ends-with-parent', 'stop when the parent process ends').hideHelp())
    .addHelpText('after', examples('serve'))
    .action(async (options) => (await import('./serve.ts')).serveCommand(options));
  program
    .command('migrate')
    .description('apply missing migrations to the database')
    .option('--check', 'apply nothing, and exit with code 1 if a migration is missing')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('migrate', 'migrate --check'))
    .action(async (options) => (await import('./migrate.ts')).migrateCommand(options));
  program
    .command('doctor')
    .description('check the configuration, the database and what the service needs, and say what to do')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('doctor', 'doctor --json'))
    .action(async (options) => (await import('./doctor.ts')).doctorCommand(options));
  program
    .command('config')
    .description('print the configuration in force and where each value comes from')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('config', 'config --json'))
    .action(async (options: Printed) => (await import('./config.ts')).configCommand(options));
  program
    .command('schema')
    .description('print the GraphQL schema as SDL')
    .addHelpText('after', examples('schema > schema.graphql'))
    .action(async () => (await import('./schema.ts')).schemaCommand());
}

function addTenantCommands(program: Command): void {
  const tenants = program.command('tenants').description('create, change, list and show tenants');
  tenants
    .command('create')
    .description('create a tenant')
    .argument('<name>', 'lower-case letters, digits and hyphens')
    .option('--currency <code>', 'the base currency, an ISO 4217 code (default: USD)')
    .option('--net-term-days <days>', 'the default net terms (default: 30)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples('tenants create acme', 'tenants create acme --currency EUR --net-term-days 45'),
    )
    .action(async (name, options) => (await import('./tenants.ts')).createTenantCommand(name, options));
  tenants
    .command('update')
    .description('change a tenant; a running service uses the new values within 5 seconds')
    .argument('<name>', 'the name of the tenant')
    .option('--name <name>', 'a new name, which invalidates JWTs that name the old one')
    .option('--currency <code>', 'the base currency, an ISO 4217 code')
    .option('--net-term-days <days>', 'the default net terms')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples('tenants update acme --currency EUR --net-term-days 45', 'tenants update acme --name acme-eu'),
    )
    .action(async (name, options) => (await import('./tenants.ts')).updateTenantCommand(name, options));
  tenants
    .command('list')
    .description('list all tenants')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('tenants list', 'tenants list --json'))
    .action(async (options) => (await import('./tenants.ts')).listTenantsCommand(options));
  tenants
    .command('show')
    .description('show a tenant and how much it has')
    .argument('<name>', 'the name of the tenant')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('tenants show acme'))
    .action(async (name, options) => (await import('./tenants.ts')).showTenantCommand(name, options));
}

function addKeyCommands(program: Command): void {
  const keys = program.command('keys').description('create, list and revoke API keys');
  keys
    .command('create')
    .description('create an API key and print its token, which is shown only once')
    .requiredOption('--tenant <name>', 'the tenant of the key')
    .requiredOption('--name <name>', 'the name of the key, such as that of the program that uses it')
    .option('--scopes <list>', 'what the key can do, separated by commas (default: everything)')
    .option('--expires <when>', 'days such as 90d, a date or an instant (default: never)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples(
        'keys create --tenant acme --name billing',
        'keys create --tenant acme --name reports --scopes accounts:read,customers:read --expires 90d',
      ),
    )
    .action(async (options) => (await import('./keys.ts')).createKeyCommand(options));
  keys
    .command('list')
    .description('list the API keys of a tenant')
    .requiredOption('--tenant <name>', 'the tenant')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('keys list --tenant acme'))
    .action(async (options) => (await import('./keys.ts')).listKeysCommand(options));
  keys
    .command('revoke')
    .description('revoke an API key')
    .argument('<key id>', 'the id that `keys list` prints')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('keys revoke key_01m84jx77we02bpjrtnh5vt4mp'))
    .action(async (id, options) => (await import('./keys.ts')).revokeKeyCommand(id, options));
}

function addImport(program: Command): void {
  program
    .command('import')
    .description('import customers and accounts from a file, by the rules of the API')
    .argument('<file>', 'the file: NDJSON, CSV, or an export of Togai, Stripe or Lago')
    .requiredOption('--tenant <name>', 'the tenant that gets the records')
    .addOption(
      new Option(
        '--type <type>',
        'the type of records without one, as in CSV; keeps only this type of others',
      ).choices(recordTypes),
    )
    .addOption(
      new Option('--format <format>', "the file's format (default: by its name)").choices(importFormats),
    )
    .option('--map <file>', 'a JSON file that maps the columns of the source to fields')
    .addOption(
      new Option('--on-existing <mode>', 'what to do with a record whose id exists')
        .choices(existingModes)
        .default('fail'),
    )
    .option('--dry-run', 'write nothing: run the import in a transaction and roll it back')
    .option('--resume', 'continue an import of this file that ended early')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      examples(
        'import accounts.csv --tenant acme --type account --dry-run',
        'import accounts.csv --tenant acme --map mapping.json --on-existing update',
        'import customers.json --tenant acme --format stripe',
      ),
    )
    .action(async (file, options) => (await import('./import.ts')).importCommand(file, options));
}

function addExport(program: Command): void {
  program
    .command('export')
    .description('export customers and accounts, or their history, from one snapshot')
    .requiredOption('--tenant <name>', 'the tenant')
    .option('--output <file>', 'the file to write (default: standard output)')
    .addOption(
      new Option('--format <format>', 'the format of the records').choices(exportFormats).default('ndjson'),
    )
    .addOption(
      new Option('--type <type>', 'only records of this type; CSV needs one').choices([
        'customer',
        'account',
      ]),
    )
    .option(
      '--portable',
      'leave out archived records and what the system makes, so that a tenant can import the rest',
    )
    .option('--since <position>', 'only what has changed since the export that printed this position')
    .option('--history', 'export the changes instead of the records')
    .option('--json', 'print the summary as JSON')
    .addHelpText(
      'after',
      examples(
        'export --tenant acme --output acme.ndjson',
        'export --tenant acme --portable | gzip > acme.ndjson.gz',
        'export --tenant acme --format csv --type account --output accounts.csv',
        'export --tenant acme --history --since AAAAAAADiMp9Iqi__rk',
      ),
    )
    .action(async (options) => (await import('./export.ts')).exportCommand(options));
}

function addSeedCommands(program: Command): void {
  const seed = program.command('seed').description('create sample data');
  seed
    .command('demo')
    .description('create a tenant with sample customers and accounts; running it again changes nothing')
    .option('--tenant <name>', 'the tenant, which is created if it is missing', 'demo')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('seed demo', 'seed demo --tenant sandbox'))
    .action(async (options) => (await import('./seed.ts')).seedDemoCommand(options));
}

function addClientCommands(program: Command): void {
  program
    .command('listen')
    .description('forward the changes of a running service to a URL of this machine, like a webhook endpoint')
    .requiredOption('--forward-to <url>', 'the URL that receives the changes')
    .option('--after <position>', 'listen after this position (default: from now on)')
    .option('--url <url>', 'the GraphQL URL of the service', 'http://127.0.0.1:4000/graphql')
    .option('--token <token>', 'an API key (default: ACCOUNTGRAPH_TOKEN)')
    .option(
      '--secret <secret>',
      'the secret that signs, whsec_… (default: ACCOUNTGRAPH_WEBHOOK_SECRET, or a new one)',
    )
    .option('--json', 'print JSON, one line for each change')
    .addHelpText('after', examples('listen --forward-to http://localhost:3000/webhooks'))
    .action(async (options) => (await import('./listen.ts')).listenCommand(options));
}

function addCompletion(program: Command): void {
  tab(program, { completionCommandName: 'completion' });
  program.commands
    .find((command) => command.name() === 'completion')
    ?.description('print a script that completes commands in a shell')
    .addHelpText(
      'after',
      [
        '',
        'Examples:',
        '  $ source <(accountgraph completion bash)',
        '  $ accountgraph completion fish | source',
      ].join('\n'),
    );
}

/** Returns the command line: every command with its options. */
export function createProgram(version: string): Command {
  const program = new Command('accountgraph')
    .description('The system of record for customers and billing accounts.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print the help of the program or a command')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('Run the command with --help to see its options.')
    .exitOverride();
  addServiceCommands(program);
  addTenantCommands(program);
  addKeyCommands(program);
  addImport(program);
  addExport(program);
  addSeedCommands(program);
  addClientCommands(program);
  addCompletion(program);
  program.addHelpText(
    'after',
    [
      '',
      'Exit codes: 0 done, 1 refused, 2 wrong usage, 3 database or service unavailable.',
      'Environment variables configure all commands: see `accountgraph config`.',
    ].join('\n'),
  );
  return program;
}
