import type { KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import { dependentDefaults, environment, type Values } from './config/environment.ts';
import { ConfigError, readVariables } from './config/variables.ts';
import type { DatabaseLimits } from './db/client.ts';
import type { Schedule } from './delivery/schedule.ts';
import { z } from './lib/zod.ts';

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
  sessionKeys: readonly KeyObject[] | undefined;
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

/** The variables of `accountgraph listen`, a client of the service. */
const clientEnvironment = z.object({
  ACCOUNTGRAPH_TOKEN: z.string().optional().meta({ must: 'an API key', secret: true }),
  ACCOUNTGRAPH_WEBHOOK_SECRET: z.string().optional().meta({ must: 'a webhook secret', secret: true }),
});

/** Returns a sentence for each rule about several variables that the values break. */
function findConflicts(values: Values): string[] {
  const { JWT_JWKS_URL: url, JWT_KEY_FILE: file, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = values;
  const jwt = [url ?? file, issuer, audience].filter((value) => value !== undefined);
  const longest = Math.max(values.DATABASE_CONNECT_TIMEOUT_MS, values.DATABASE_STATEMENT_TIMEOUT_MS);
  const rules: [boolean, string][] = [
    [
      values.TRUSTED_DOCUMENTS_ONLY && values.TRUSTED_DOCUMENTS === undefined,
      'TRUSTED_DOCUMENTS_ONLY=true requires TRUSTED_DOCUMENTS.',
    ],
    [
      values.DATABASE_CALL_TIMEOUT_MS <= longest,
      'DATABASE_CALL_TIMEOUT_MS must be longer than DATABASE_CONNECT_TIMEOUT_MS and DATABASE_STATEMENT_TIMEOUT_MS, because a call includes both.',
    ],
    [
      values.DATABASE_LOCK_TIMEOUT_MS > values.DATABASE_STATEMENT_TIMEOUT_MS,
      'DATABASE_LOCK_TIMEOUT_MS must not be longer than DATABASE_STATEMENT_TIMEOUT_MS, because a statement waits for locks while it runs.',
    ],
    [
      (jwt.length > 0 && jwt.length < 3) || (url !== undefined && file !== undefined),
      'To accept JWTs, set JWT_ISSUER, JWT_AUDIENCE, and one of JWT_JWKS_URL and JWT_KEY_FILE.',
    ],
  ];
  return rules.filter(([isBroken]) => isBroken).map(([, problem]) => problem);
}

function jwtOf(values: Values): JwtConfig | undefined {
  const { JWT_JWKS_URL: url, JWT_KEY_FILE: file, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = values;
  const keys = url === undefined ? file !== undefined && { file: resolve(file) } : { url };
  if (!keys || issuer === undefined || audience === undefined) return undefined;
  return { keys, issuer, audience, tenantClaim: values.JWT_TENANT_CLAIM, scopeClaim: values.JWT_SCOPE_CLAIM };
}

/**
 * Reads the configuration.
 * @throws ConfigError that names every invalid variable
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Readonly<Config> {
  const { values } = readVariables(environment, env);
  const conflicts = findConflicts(values);
  if (conflicts.length > 0) throw new ConfigError(conflicts);
  const defaults = dependentDefaults(values);
  return Object.freeze({
    production: values.NODE_ENV === 'production',
    host: values.HOST,
    port: values.PORT,
    metricsPort: values.METRICS_PORT,
    metricsHost: values.METRICS_HOST,
    dataDir: resolve(values.DATA_DIR),
    databaseUrl: values.DATABASE_URL,
    database: {
      poolSize: values.DATABASE_POOL_SIZE,
      prepare: values.DATABASE_PREPARE,
      limits: {
        queueSize: values.DATABASE_QUEUE_SIZE,
        waitTimeoutMs: values.DATABASE_WAIT_TIMEOUT_MS,
        connectTimeoutMs: values.DATABASE_CONNECT_TIMEOUT_MS,
        statementTimeoutMs: values.DATABASE_STATEMENT_TIMEOUT_MS,
        lockTimeoutMs: values.DATABASE_LOCK_TIMEOUT_MS,
        idleTransactionTimeoutMs: values.DATABASE_IDLE_TRANSACTION_TIMEOUT_MS,
        callTimeoutMs: values.DATABASE_CALL_TIMEOUT_MS,
      },
    },
    migrate: values.MIGRATE ?? defaults.MIGRATE,
    trustedDocuments: values.TRUSTED_DOCUMENTS && resolve(values.TRUSTED_DOCUMENTS),
    trustedDocumentsOnly: values.TRUSTED_DOCUMENTS_ONLY,
    jwt: jwtOf(values),
    sessionKeys: values.SESSION_KEYS,
    webhookKeys: values.WEBHOOK_KEYS,
    webhookDelays: values.WEBHOOK_RETRY_DELAYS ?? [],
    webhookPrivateTargets: values.WEBHOOK_PRIVATE_TARGETS,
    collector: values.OTEL_EXPORTER_OTLP_ENDPOINT,
    drainDelayMs: values.DRAIN_DELAY_MS ?? defaults.DRAIN_DELAY_MS,
    endsWithParent: npmScripts.includes(env.npm_lifecycle_event ?? ''),
    logLevel: values.LOG_LEVEL,
    graphiql: values.GRAPHIQL ?? defaults.GRAPHIQL,
    exposesSchema: values.INTROSPECTION ?? defaults.INTROSPECTION,
    restDocs: values.REST_DOCS ?? defaults.REST_DOCS,
    corsOrigins: values.CORS_ORIGINS ?? [],
    operationTimeoutMs: values.OPERATION_TIMEOUT_MS,
    costPerMinute: values.RATE_LIMIT,
  });
}

/** Reads the variables of `accountgraph listen`. */
export function readClientConfig(env: NodeJS.ProcessEnv = process.env) {
  const { values } = readVariables(clientEnvironment, env);
  return { token: values.ACCOUNTGRAPH_TOKEN, secret: values.ACCOUNTGRAPH_WEBHOOK_SECRET };
}
