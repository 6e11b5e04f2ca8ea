import type { KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import { parseSessionKeys, sessionKeyRule } from './auth/session-keys.ts';
import type { DatabaseLimits } from './db/client.ts';
import { StartupError } from './lib/errors.ts';
import { isLoopback } from './lib/loopback.ts';
import { z } from './lib/zod.ts';

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

function wholeNumber(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max));
}

/** Keys that came over a network unencrypted could be anybody's. */
function isSafeUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname.replace(/^\[|\]$/g, '')));
}

function milliseconds(value: string, description: string) {
  return wholeNumber(10, 600_000)
    .prefault(value)
    .meta({ must: 'a whole number from 10 to 600000', description: `Milliseconds. ${description}` });
}

function onOrOff() {
  return z.enum(['true', 'false']).transform((value) => value === 'true');
}

const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text;

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
  METRICS_PORT: wholeNumber(1, 65_535).optional().meta({
    must: 'a whole number from 1 to 65535',
    description: 'A port for Prometheus, which needs no token there. Without it, nothing is counted.',
  }),
  METRICS_HOST: z.string().default('127.0.0.1').meta({
    must: 'a host name or address',
    description: 'The address that METRICS_PORT listens on. By default, only this machine reaches it.',
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
  DATABASE_QUEUE_SIZE: wholeNumber(0, 100_000).prefault('1000').meta({
    must: 'a whole number from 0 to 100000',
    description: 'How many calls of requests may wait for a connection; the next is refused at once.',
  }),
  DATABASE_WAIT_TIMEOUT_MS: milliseconds('1000', 'How long a call may wait for a connection.'),
  DATABASE_CONNECT_TIMEOUT_MS: milliseconds('2000', 'How long a connection may take to be made.'),
  DATABASE_STATEMENT_TIMEOUT_MS: milliseconds('2500', 'How long PostgreSQL may work on a statement.'),
  DATABASE_LOCK_TIMEOUT_MS: milliseconds('2000', 'How long a statement may wait for a lock.'),
  DATABASE_IDLE_TRANSACTION_TIMEOUT_MS: milliseconds(
    '2500',
    'How long PostgreSQL keeps a transaction whose next statement does not come.',
  ),
  DATABASE_CALL_TIMEOUT_MS: milliseconds(
    '3500',
    'How long a call may take in all, making the connection included. One that is late loses its connection.',
  ),
  DATABASE_PREPARE: onOrOff().prefault('true').meta({
    must: 'true or false',
    description: '`false` where a pooler gives each transaction another connection, such as PgBouncer.',
  }),
  DATA_DIR: z.string().default('.data').meta({
    must: 'the path of a directory',
    description: 'Where its own PostgreSQL keeps its data. Only its owner has access.',
  }),
  MIGRATE: onOrOff().optional().meta({
    must: 'true or false',
    description:
      'Whether a start applies missing migrations. Left out, it does, but not to a DATABASE_URL in production.',
  }),
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development').meta({
    must: 'development, production or test',
    description:
      '`production` switches off GraphiQL, introspection, the REST reference, the demo tenant and the migrations at start.',
  }),
  GRAPHIQL: onOrOff().optional().meta({
    must: 'true or false',
    description: 'Whether there is a GraphiQL. Left out, there is one, but not in production.',
  }),
  INTROSPECTION: onOrOff().optional().meta({
    must: 'true or false',
    description:
      'Whether clients may ask for the schema, and messages suggest names of it. Left out, they may, but not in production. Gateways get the schema from `_service` in any case.',
  }),
  REST_DOCS: onOrOff().optional().meta({
    must: 'true or false',
    description:
      'Whether `/docs` and `/openapi.json` are served. Without it, they are, except in production.',
  }),
  CORS_ORIGINS: z
    .string()
    .transform((value) => value.split(',').map((origin) => origin.trim()))
    .pipe(z.array(z.string().refine(isOrigin)))
    .optional()
    .meta({
      must: 'origins such as https://app.example.com, with commas between them',
      description:
        'Origins whose scripts may send requests from a browser. Left out, none of another origin may.',
    }),
  OPERATION_TIMEOUT_MS: wholeNumber(1, 600_000).prefault('10000').meta({
    must: 'a whole number from 1 to 600000',
    description: 'Milliseconds after which an operation is given up.',
  }),
  RATE_LIMIT: wholeNumber(0, 999_999_999).prefault('60000000').meta({
    must: 'a whole number from 0 to 999999999',
    description: 'How much cost one key may spend in a minute on each replica. `0` is as much as it will.',
  }),
  TRUSTED_DOCUMENTS: z.string().optional().meta({
    must: 'the path of a JSON file',
    description:
      "Documents that requests may name by `documentId`: a JSON object of documents by id, as graphql-codegen and Relay write it, or Apollo's manifest.",
  }),
  TRUSTED_DOCUMENTS_ONLY: onOrOff().prefault('false').meta({
    must: 'true or false',
    description: 'Whether nothing but the documents of TRUSTED_DOCUMENTS runs.',
  }),
  JWT_JWKS_URL: z
    .url()
    .refine(isSafeUrl)
    .transform((url) => new URL(url))
    .optional()
    .meta({
      must: 'an https URL; http only to this machine',
      description: 'Where the issuer of JWTs publishes its keys (JWKS). JWTs are then taken beside API keys.',
    }),
  JWT_KEY_FILE: z.string().optional().meta({
    must: 'the path of a file',
    description: 'The public key of the issuer of JWTs in PEM, or its JWK or JWKS, instead of JWT_JWKS_URL.',
  }),
  JWT_ISSUER: z.string().optional().meta({
    must: 'the `iss` of the JWTs',
    description: 'Whose JWTs are taken.',
  }),
  JWT_AUDIENCE: z.string().optional().meta({
    must: 'the `aud` of the JWTs',
    description: 'For whom the JWTs must be made: the name of this service at the issuer.',
  }),
  JWT_TENANT_CLAIM: z.string().default('tenant').meta({
    must: 'the name of a claim',
    description: "The claim that holds the tenant's name.",
  }),
  JWT_SCOPE_CLAIM: z.string().default('scope').meta({
    must: 'the name of a claim',
    description: 'The claim that holds the scopes, as words in one text or as a list.',
  }),
  SESSION_KEYS: z
    .string()
    .transform((value) => parseSessionKeys(value.split(',')))
    .refine((keys) => keys !== undefined)
    .optional()
    .meta({
      must: `${sessionKeyRule}, separated by commas`,
      description:
        'Secrets that sign and verify the tokens of `POST /authenticate`. The first one signs, and all of them verify. Without any, the service uses the file `session-key` in DATA_DIR if it runs its own PostgreSQL; with a DATABASE_URL, it issues no tokens.',
    }),
  SESSION_KEYS_FILE: z.string().optional().meta({
    must: 'the path of a file',
    description: 'A file with the same keys, one on each line, instead of SESSION_KEYS.',
  }),
  DRAIN_DELAY_MS: wholeNumber(0, 4000).optional().meta({
    must: 'a whole number from 0 to 4000',
    description:
      'Milliseconds. How long it goes on serving after SIGTERM, not ready any more, so that no balancer sends what it would miss. Left out, 3000 in production, else 0.',
  }),
  LOG_LEVEL: z.enum(logLevels).default('info').meta({
    must: 'trace, debug, info, warn, error, fatal or silent',
    description: 'What is logged, as JSON lines on standard error.',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      must: 'a URL such as http://collector:4318',
      description:
        'A collector of OpenTelemetry, which gets spans by OTLP over HTTP. Without it, nothing is traced.',
    }),
});

export interface Config {
  production: boolean;
  host: string;
  /** 0: any free port. */
  port: number;
  /** undefined: nothing is counted. */
  metricsPort: number | undefined;
  metricsHost: string;
  /** Absolute. Where the embedded PostgreSQL keeps its data. */
  dataDir: string;
  /** undefined: start the embedded PostgreSQL. */
  databaseUrl: string | undefined;
  database: { poolSize: number; prepare: boolean; limits: DatabaseLimits };
  /** Apply migrations at start. */
  migrate: boolean;
  /** Absolute. The manifest of the trusted documents; undefined: there are none. */
  trustedDocuments: string | undefined;
  /** Nothing but the trusted documents runs. */
  trustedDocumentsOnly: boolean;
  /** undefined: JWTs are not taken. */
  jwt: JwtConfig | undefined;
  /** What signs session tokens; undefined: a key of its own beside the embedded PostgreSQL, or none. */
  sessionKeys: readonly KeyObject[] | { file: string } | undefined;
  /** Where spans go; undefined: nothing is traced. */
  collector: string | undefined;
  /** How long it serves after SIGTERM while it says that it is not ready. */
  drainDelayMs: number;
  /** Whether npm started this process, which then stops when npm ends. */
  endsWithParent: boolean;
  logLevel: string;
  graphiql: boolean;
  exposesSchema: boolean;
  /** Serve the REST reference and its OpenAPI document. */
  restDocs: boolean;
  corsOrigins: readonly string[];
  operationTimeoutMs: number;
  /** 0: no limit. */
  costPerMinute: number;
}

export interface JwtConfig {
  keys: { url: URL } | { file: string };
  issuer: string;
  audience: string;
  tenantClaim: string;
  scopeClaim: string;
}

/** The npm scripts, and npx, that run the service until it is stopped. Any other script may leave it in the background. */
const npmScripts = ['start', 'dev', 'npx'];

type Variable = keyof typeof environment.shape;

function problem(name: Variable): string {
  return `${name} must be ${environment.shape[name].meta()?.must}`;
}

/** What of JWTs is configured. Throws StartupError when something of it is missing. */
function jwtOf(data: z.output<typeof environment>): JwtConfig | undefined {
  const { JWT_JWKS_URL: url, JWT_KEY_FILE: file, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = data;
  if ([url, file, issuer, audience].every((value) => value === undefined)) return undefined;
  const keys = url === undefined ? file !== undefined && { file: resolve(file) } : { url };
  if (!keys || (url && file) || issuer === undefined || audience === undefined) {
    throw new StartupError('JWTs need JWT_ISSUER, JWT_AUDIENCE, and one of JWT_JWKS_URL and JWT_KEY_FILE.');
  }
  return { keys, issuer, audience, tenantClaim: data.JWT_TENANT_CLAIM, scopeClaim: data.JWT_SCOPE_CLAIM };
}

/** @throws StartupError if both variables are set */
function sessionKeysOf({ SESSION_KEYS: keys, SESSION_KEYS_FILE: file }: z.output<typeof environment>) {
  if (keys !== undefined && file !== undefined) {
    throw new StartupError('Set only one of SESSION_KEYS and SESSION_KEYS_FILE.');
  }
  return file === undefined ? keys : { file: resolve(file) };
}

/** Each time-out lies within the one around it, or that one would speak in its place. */
function databaseLimits(data: z.infer<typeof environment>): DatabaseLimits {
  const limits = {
    queueSize: data.DATABASE_QUEUE_SIZE,
    waitTimeoutMs: data.DATABASE_WAIT_TIMEOUT_MS,
    connectTimeoutMs: data.DATABASE_CONNECT_TIMEOUT_MS,
    statementTimeoutMs: data.DATABASE_STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: data.DATABASE_LOCK_TIMEOUT_MS,
    idleTransactionTimeoutMs: data.DATABASE_IDLE_TRANSACTION_TIMEOUT_MS,
    callTimeoutMs: data.DATABASE_CALL_TIMEOUT_MS,
  };
  if (limits.callTimeoutMs <= Math.max(limits.connectTimeoutMs, limits.statementTimeoutMs)) {
    throw new StartupError(
      'DATABASE_CALL_TIMEOUT_MS must be longer than DATABASE_CONNECT_TIMEOUT_MS and DATABASE_STATEMENT_TIMEOUT_MS, which happen within it.',
    );
  }
  if (limits.lockTimeoutMs > limits.statementTimeoutMs) {
    throw new StartupError(
      'DATABASE_LOCK_TIMEOUT_MS must not be longer than DATABASE_STATEMENT_TIMEOUT_MS: a statement waits for locks while it runs.',
    );
  }
  return limits;
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
    metricsPort: data.METRICS_PORT,
    metricsHost: data.METRICS_HOST,
    dataDir: resolve(data.DATA_DIR),
    databaseUrl: data.DATABASE_URL,
    database: {
      poolSize: data.DATABASE_POOL_SIZE,
      prepare: data.DATABASE_PREPARE,
      limits: databaseLimits(data),
    },
    migrate: data.MIGRATE ?? (data.DATABASE_URL === undefined || !production),
    trustedDocuments: data.TRUSTED_DOCUMENTS && resolve(data.TRUSTED_DOCUMENTS),
    trustedDocumentsOnly: data.TRUSTED_DOCUMENTS_ONLY,
    jwt: jwtOf(data),
    sessionKeys: sessionKeysOf(data),
    collector: data.OTEL_EXPORTER_OTLP_ENDPOINT,
    drainDelayMs: data.DRAIN_DELAY_MS ?? (production ? 3000 : 0),
    endsWithParent: npmScripts.includes(env.npm_lifecycle_event ?? ''),
    logLevel: data.LOG_LEVEL,
    graphiql: data.GRAPHIQL ?? !production,
    exposesSchema: data.INTROSPECTION ?? !production,
    restDocs: data.REST_DOCS ?? !production,
    corsOrigins: data.CORS_ORIGINS ?? [],
    operationTimeoutMs: data.OPERATION_TIMEOUT_MS,
    costPerMinute: data.RATE_LIMIT,
  });
}
