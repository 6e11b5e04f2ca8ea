import { resolve } from 'node:path';
import { z } from 'zod';
import { StartupError } from './lib/errors.ts';

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

function wholeNumber(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max));
}

/** Every variable that is read: `must` tells the values it takes, the description what it is for. */
export const environment = z.object({
  HOST: z.string().default('127.0.0.1').meta({
    must: 'a host name or address',
    description: 'Where it listens. `0.0.0.0` is every network of the machine; then there is no demo token.',
  }),
  PORT: wholeNumber(0, 65_535).prefault('4000').meta({
    must: 'a whole number from 0 to 65535',
    description: 'The port it listens on. `0` takes any free one.',
  }),
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .optional()
    .meta({
      must: 'a URL such as postgres://user:password@host:5432/database',
      description: 'A PostgreSQL, version 15 or newer. Without it, the service starts one of its own.',
    }),
  DATABASE_POOL_SIZE: wholeNumber(1, 100).prefault('8').meta({
    must: 'a whole number from 1 to 100',
    description: 'How many connections to the database it holds.',
  }),
  DATA_DIR: z
    .string()
    .default('.data')
    .meta({ must: 'the path of a directory', description: 'Where its own PostgreSQL keeps its data.' }),
  MIGRATE: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .meta({
      must: 'true or false',
      description:
        'Whether a start applies missing migrations. Left out, it does, but not to a DATABASE_URL in production.',
    }),
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development').meta({
    must: 'development, production or test',
    description: '`production` switches GraphiQL and the migrations at start off.',
  }),
  TRUSTED_DOCUMENTS: z.string().optional().meta({
    must: 'the path of a JSON file',
    description:
      "Documents that requests may name by `documentId`: a JSON object of documents by id, as graphql-codegen and Relay write it, or Apollo's manifest.",
  }),
  TRUSTED_DOCUMENTS_ONLY: z
    .enum(['true', 'false'])
    .default('false')
    .transform((value) => value === 'true')
    .meta({
      must: 'true or false',
      description: 'Whether nothing but the documents of TRUSTED_DOCUMENTS runs.',
    }),
  LOG_LEVEL: z.enum(logLevels).default('info').meta({
    must: 'trace, debug, info, warn, error, fatal or silent',
    description: 'What is logged, as JSON lines on standard error.',
  }),
});

export interface Config {
  production: boolean;
  host: string;
  /** 0: any free port. */
  port: number;
  /** Absolute. Where the embedded PostgreSQL keeps its data. */
  dataDir: string;
  /** undefined: start the embedded PostgreSQL. */
  databaseUrl: string | undefined;
  poolSize: number;
  /** Apply migrations at start. */
  migrate: boolean;
  /** Absolute. The manifest of the trusted documents; undefined: there are none. */
  trustedDocuments: string | undefined;
  /** Nothing but the trusted documents runs. */
  trustedDocumentsOnly: boolean;
  logLevel: string;
}

type Variable = keyof typeof environment.shape;

function problem(name: Variable): string {
  return `${name} must be ${environment.shape[name].meta()?.must}`;
}

/** Reads the configuration. Throws one StartupError that names every variable which is not as it must be. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Readonly<Config> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const names = new Set(parsed.error.issues.map((issue) => issue.path[0] as Variable));
    throw new StartupError(`${[...names].map(problem).join('; ')}.`);
  }
  const { data } = parsed;
  if (data.TRUSTED_DOCUMENTS_ONLY && data.TRUSTED_DOCUMENTS === undefined) {
    throw new StartupError(
      'TRUSTED_DOCUMENTS_ONLY=true needs TRUSTED_DOCUMENTS: without it, nothing would run.',
    );
  }
  const production = data.NODE_ENV === 'production';
  return Object.freeze({
    production,
    host: data.HOST,
    port: data.PORT,
    dataDir: resolve(data.DATA_DIR),
    databaseUrl: data.DATABASE_URL,
    poolSize: data.DATABASE_POOL_SIZE,
    migrate: data.MIGRATE ?? (data.DATABASE_URL === undefined || !production),
    trustedDocuments: data.TRUSTED_DOCUMENTS && resolve(data.TRUSTED_DOCUMENTS),
    trustedDocumentsOnly: data.TRUSTED_DOCUMENTS_ONLY,
    logLevel: data.LOG_LEVEL,
  });
}
