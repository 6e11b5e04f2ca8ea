import type { KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import { parseSessionKeys, sessionKeyRule } from './auth/session-keys.ts';
import type { DatabaseLimits } from './db/client.ts';
import { parseSchedule, type Schedule } from './delivery/schedule.ts';
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

/** Whether keys from this URL are safe from tampering: unencrypted responses can be replaced on the network. */
function isSafeUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname.replace(/^\[|\]$/g, '')));
}

function milliseconds(value: string, description: string) {
  return wholeNumber(10, 600_000)
    .prefault(value)
    .meta({ must: 'a whole number from 10 to 600000', description });
}

function onOrOff() {
  return z.enum(['true', 'false']).transform((value) => value === 'true');
}

function keyList(description: string) {
  return z
    .string()
    .transform((value) => parseSessionKeys(value.split(',')))
    .refine((keys) => keys !== undefined)
    .optional()
    .meta({ must: `${sessionKeyRule}, separated by commas`, description });
}

const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text;

/** Every environment variable that the service reads. `must` completes the sentence "VARIABLE must be …". */
export const environment = z.object({
  HOST: z.string().default('127.0.0.1').meta({
    must: 'a host name or address',
    description:
      'The address to listen on. `0.0.0.0` means all interfaces; the demo token exists only on a loopback address.',
  }),
  PORT: wholeNumber(0, 65_535).prefault('4000').meta({
    must: 'a whole number from 0 to 65535',
    description: 'The port to listen on. `0` chooses a free port.',
  }),
  METRICS_PORT: wholeNumber(1, 65_535).optional().meta({
    must: 'a whole number from 1 to 65535',
    description: 'The port of the Prometheus endpoint, which needs no token. If unset, metrics are off.',
  }),
  METRICS_HOST: z.string().default('127.0.0.1').meta({
    must: 'a host name or address',
    description: 'The address that METRICS_PORT listens on. The default accepts only local connections.',
  }),
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .optional()
    .meta({
      must: 'a URL such as postgres://user:password@host:5432/database',
      description:
        'A PostgreSQL database, version 15 or newer. If unset, the service runs its own PostgreSQL.',
    }),
  DATABASE_POOL_SIZE: wholeNumber(1, 100).prefault('8').meta({
    must: 'a whole number from 1 to 100',
    description: 'The size of the connection pool.',
  }),
  DATABASE_QUEUE_SIZE: wholeNumber(0, 100_000).prefault('1000').meta({
    must: 'a whole number from 0 to 100000',
    description: 'How many database calls can wait for a connection. Further calls are refused immediately.',
  }),
  DATABASE_WAIT_TIMEOUT_MS: milliseconds(
    '1000',
    'Milliseconds that a database call can wait for a connection.',
  ),
  DATABASE_CONNECT_TIMEOUT_MS: milliseconds('2000', 'Milliseconds that opening a connection can take.'),
  DATABASE_STATEMENT_TIMEOUT_MS: milliseconds('2500', 'Milliseconds that a statement can run.'),
  DATABASE_LOCK_TIMEOUT_MS: milliseconds('2000', 'Milliseconds that a statement can wait for a lock.'),
  DATABASE_IDLE_TRANSACTION_TIMEOUT_MS: milliseconds(
    '2500',
    'Milliseconds that a transaction can wait for its next statement.',
  ),
  DATABASE_CALL_TIMEOUT_MS: milliseconds(
    '3500',
    'Milliseconds that a database call can take in total, including the time to connect. After that, its connection is closed.',
  ),
  DATABASE_PREPARE: onOrOff().prefault('true').meta({
    must: 'true or false',
    description:
      'Whether to use prepared statements. Set it to `false` behind a pooler in transaction mode, such as PgBouncer.',
  }),
  DATA_DIR: z.string().default('.data').meta({
    must: 'the path of a directory',
    description: 'The data directory of the embedded PostgreSQL. Only its owner has access.',
  }),
  MIGRATE: onOrOff().optional().meta({
    must: 'true or false',
    description:
      'Whether to apply missing migrations at startup. Default: `true`, except with a DATABASE_URL in production.',
  }),
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development').meta({
    must: 'development, production or test',
    description:
      '`production` turns off GraphiQL, introspection, the REST reference, the demo token and, with a DATABASE_URL, migrations at startup.',
  }),
  GRAPHIQL: onOrOff().optional().meta({
    must: 'true or false',
    description: 'Whether to serve GraphiQL. Default: `true`, except in production.',
  }),
  INTROSPECTION: onOrOff().optional().meta({
    must: 'true or false',
    description:
      'Whether introspection works and error messages suggest names of the schema. Default: `true`, except in production. Gateways can always read the schema from `_service`.',
  }),
  REST_DOCS: onOrOff().optional().meta({
    must: 'true or false',
    description: 'Whether to serve `/docs` and `/openapi.json`. Default: `true`, except in production.',
  }),
  CORS_ORIGINS: z
    .string()
    .transform((value) => value.split(',').map((origin) => origin.trim()))
    .pipe(z.array(z.string().refine(isOrigin)))
    .optional()
    .meta({
      must: 'origins such as https://app.example.com, separated by commas',
      description:
        'Origins whose scripts can send requests from a browser. If unset, only scripts of the same origin can.',
    }),
  OPERATION_TIMEOUT_MS: wholeNumber(1, 600_000).prefault('10000').meta({
    must: 'a whole number from 1 to 600000',
    description: 'Milliseconds after which an operation times out.',
  }),
  RATE_LIMIT: wholeNumber(0, 999_999_999).prefault('60000000').meta({
    must: 'a whole number from 0 to 999999999',
    description: 'The cost that one key can spend per minute on each replica. `0` disables the limit.',
  }),
  TRUSTED_DOCUMENTS: z.string().optional().meta({
    must: 'the path of a JSON file',
    description:
      "Documents that requests can name by `documentId`. The file maps ids to documents, as graphql-codegen and Relay write it, or is Apollo's manifest.",
  }),
  TRUSTED_DOCUMENTS_ONLY: onOrOff().prefault('false').meta({
    must: 'true or false',
    description: 'Whether to refuse documents that are not in TRUSTED_DOCUMENTS.',
  }),
  JWT_JWKS_URL: z
    .url()
    .refine(isSafeUrl)
    .transform((url) => new URL(url))
    .optional()
    .meta({
      must: 'an https URL, or an http URL of this machine',
      description:
        'The JWKS URL of the JWT issuer. If set, the service accepts its JWTs as well as API keys.',
    }),
  JWT_KEY_FILE: z.string().optional().meta({
    must: 'the path of a file',
    description:
      'A file with the public key of the JWT issuer (PEM, JWK or JWKS), as an alternative to JWT_JWKS_URL.',
  }),
  JWT_ISSUER: z.string().optional().meta({
    must: 'the `iss` claim of the JWTs',
    description: 'The issuer whose JWTs the service accepts.',
  }),
  JWT_AUDIENCE: z.string().optional().meta({
    must: 'the `aud` claim of the JWTs',
    description: 'The audience that JWTs must have: the name of this service at the issuer.',
  }),
  JWT_TENANT_CLAIM: z.string().default('tenant').meta({
    must: 'the name of a claim',
    description: "The claim that holds the tenant's name.",
  }),
  JWT_SCOPE_CLAIM: z.string().default('scope').meta({
    must: 'the name of a claim',
    description: 'The claim that holds the scopes: a list, or a string separated by spaces.',
  }),
  SESSION_KEYS: keyList(
    'Secrets that sign and verify the tokens of `POST /authenticate`. The first key signs; all keys verify. If unset, a service with its own PostgreSQL uses the file `session-key` in DATA_DIR, and a service with a DATABASE_URL issues no tokens.',
  ),
  SESSION_KEYS_FILE: z.string().optional().meta({
    must: 'the path of a file',
    description: 'A file with the keys, one per line, as an alternative to SESSION_KEYS.',
  }),
  WEBHOOK_KEYS: keyList(
    'Keys that encrypt the secrets of webhook endpoints in the database. The first key encrypts; all keys decrypt. If unset, a service with its own PostgreSQL uses the file `webhook-key` in DATA_DIR, and a service with a DATABASE_URL has no webhooks.',
  ),
  WEBHOOK_RETRY_DELAYS: z
    .string()
    .prefault('5s,5m,30m,2h,5h,10h,14h,20h,24h')
    .transform((value) => parseSchedule(value))
    .refine((delays) => delays !== undefined)
    .meta({
      must: 'delays such as 5s, 30m and 2h, separated by commas',
      description: 'The delays between the attempts to deliver a webhook, each with a jitter of 10 %.',
    }),
  WEBHOOK_PRIVATE_TARGETS: onOrOff().prefault('false').meta({
    must: 'true or false',
    description:
      'Whether webhook endpoints can have http URLs and private addresses, for development. Never set it where others create endpoints.',
  }),
  DRAIN_DELAY_MS: wholeNumber(0, 4000).optional().meta({
    must: 'a whole number from 0 to 4000',
    description:
      'Milliseconds that the service keeps serving after SIGTERM, so that load balancers can see that it is no longer ready. Default: 3000 in production, otherwise 0.',
  }),
  LOG_LEVEL: z.enum(logLevels).default('info').meta({
    must: 'trace, debug, info, warn, error, fatal or silent',
    description: 'The minimum level of log lines, which go to standard error as JSON.',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      must: 'a URL such as http://collector:4318',
      description:
        'The URL of an OpenTelemetry collector, which receives spans over OTLP/HTTP. If unset, tracing is off.',
    }),
});

export interface Config {
  production: boolean;
  host: string;
  /** 0 means any free port. */
  port: number;
  /** Undefined if metrics are off. */
  metricsPort: number | undefined;
  metricsHost: string;
  /** Absolute path of the data directory of the embedded PostgreSQL. */
  dataDir: string;
  /** Undefined if the service runs the embedded PostgreSQL. */
  databaseUrl: string | undefined;
  database: { poolSize: number; prepare: boolean; limits: DatabaseLimits };
  /** Whether to apply migrations at startup. */
  migrate: boolean;
  /** Absolute path of the trusted documents, if there are any. */
  trustedDocuments: string | undefined;
  /** Whether to refuse documents that are not trusted. */
  trustedDocumentsOnly: boolean;
  /** Undefined if JWTs are not accepted. */
  jwt: JwtConfig | undefined;
  /** Undefined if the data directory holds the session key, or if the service issues no session tokens. */
  sessionKeys: readonly KeyObject[] | { file: string } | undefined;
  /** Keys that encrypt webhook secrets. Undefined if the data directory holds one, or if there are no webhooks. */
  webhookKeys: readonly KeyObject[] | undefined;
  webhookDelays: Schedule;
  /** Whether webhook endpoints can have private addresses. */
  webhookPrivateTargets: boolean;
  /** URL that receives spans. Undefined if tracing is off. */
  collector: string | undefined;
  /** How long to keep serving after SIGTERM while `/health/ready` returns 503. */
  drainDelayMs: number;
  /** Whether npm started this process, which then stops when npm ends. */
  endsWithParent: boolean;
  logLevel: string;
  graphiql: boolean;
  exposesSchema: boolean;
  /** Whether to serve `/docs` and `/openapi.json`. */
  restDocs: boolean;
  corsOrigins: readonly string[];
  operationTimeoutMs: number;
  /** 0 means no limit. */
  costPerMinute: number;
}

export interface JwtConfig {
  keys: { url: URL } | { file: string };
  issuer: string;
  audience: string;
  tenantClaim: string;
  scopeClaim: string;
}

/** npm scripts (and npx) that run the service in the foreground. Other scripts may leave it in the background. */
const npmScripts = ['start', 'dev', 'npx'];

type Variable = keyof typeof environment.shape;

function problem(name: Variable): string {
  return `${name} must be ${environment.shape[name].meta()?.must}`;
}

/** @throws StartupError if the JWT variables are incomplete or name two sources of keys */
function jwtOf(data: z.output<typeof environment>): JwtConfig | undefined {
  const { JWT_JWKS_URL: url, JWT_KEY_FILE: file, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = data;
  if ([url, file, issuer, audience].every((value) => value === undefined)) return undefined;
  const keys = url === undefined ? file !== undefined && { file: resolve(file) } : { url };
  if (!keys || (url && file) || issuer === undefined || audience === undefined) {
    throw new StartupError(
      'To accept JWTs, set JWT_ISSUER, JWT_AUDIENCE, and one of JWT_JWKS_URL and JWT_KEY_FILE.',
    );
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

/** @throws StartupError unless each timeout is shorter than the one around it, which would otherwise fire first */
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
      'DATABASE_CALL_TIMEOUT_MS must be longer than DATABASE_CONNECT_TIMEOUT_MS and DATABASE_STATEMENT_TIMEOUT_MS, because a call includes both.',
    );
  }
  if (limits.lockTimeoutMs > limits.statementTimeoutMs) {
    throw new StartupError(
      'DATABASE_LOCK_TIMEOUT_MS must not be longer than DATABASE_STATEMENT_TIMEOUT_MS, because a statement waits for locks while it runs.',
    );
  }
  return limits;
}

/** Reads the configuration. Throws one StartupError that names every invalid variable. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Readonly<Config> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const names = new Set(parsed.error.issues.map((issue) => issue.path[0] as Variable));
    throw new StartupError(`${[...names].map(problem).join('; ')}.`);
  }
  const { data } = parsed;
  if (data.TRUSTED_DOCUMENTS_ONLY && data.TRUSTED_DOCUMENTS === undefined) {
    throw new StartupError('TRUSTED_DOCUMENTS_ONLY=true requires TRUSTED_DOCUMENTS.');
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
    webhookKeys: data.WEBHOOK_KEYS,
    webhookDelays: data.WEBHOOK_RETRY_DELAYS ?? [],
    webhookPrivateTargets: data.WEBHOOK_PRIVATE_TARGETS,
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

/** Reads the variables of `accountgraph listen`, a client of the service. An empty value counts as absent. */
export function readClientConfig(env: NodeJS.ProcessEnv = process.env) {
  return {
    token: env.ACCOUNTGRAPH_TOKEN || undefined,
    secret: env.ACCOUNTGRAPH_WEBHOOK_SECRET || undefined,
  };
}
