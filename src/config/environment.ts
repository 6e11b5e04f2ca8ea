import { parseSessionKeys, sessionKeyRule } from '../auth/session-keys.ts';
import { parseSchedule } from '../delivery/schedule.ts';
import { isLoopback } from '../lib/loopback.ts';
import { z } from '../lib/zod.ts';

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

function wholeNumber(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max));
}

/**
 * Returns whether the parts of a URL are percent-encoded. A `/` or `#` in the password would make its rest a part of
 * the path, which error messages name.
 */
function isEncoded(url: string): boolean {
  try {
    decodeURIComponent(url);
    const { pathname, hash } = new URL(url);
    return !pathname.includes('@') && hash === '';
  } catch {
    return false;
  }
}

/** Whether keys from this URL are safe from tampering: unencrypted responses can be replaced on the network. */
function isSafeUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, username, password } = new URL(url);
  // fetch refuses a URL with credentials.
  if (username !== '' || password !== '') return false;
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
    .transform((value) => parseSessionKeys(value.split(/[,\n]/)))
    .refine((keys) => keys !== undefined)
    .optional()
    .meta({ must: `${sessionKeyRule}, separated by commas or line breaks`, description, secret: true });
}

const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text;

const addresses = {
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
};

const database = {
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .refine(isEncoded)
    .optional()
    .meta({
      secret: true,
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
};

const exposure = {
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
};

const requests = {
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
};

const jwts = {
  JWT_JWKS_URL: z
    .url()
    .refine(isSafeUrl)
    .transform((url) => new URL(url))
    .optional()
    .meta({
      must: 'an https URL, or an http URL of this machine, without a user name',
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
};

const sessionTokens = {
  SESSION_KEYS: keyList(
    'Secrets that sign and verify the tokens of `POST /authenticate`. The first key signs; all keys verify. If unset, a service with its own PostgreSQL uses the file `session-key` in DATA_DIR, and a service with a DATABASE_URL issues no tokens.',
  ),
};

const webhooks = {
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
};

const operation = {
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
};

/**
 * Every environment variable that the service reads, by subject. `must` completes the sentence "VARIABLE must be …".
 * `secret` marks a value that is never printed and that a file can hold.
 */
export const variableGroups = {
  Addresses: addresses,
  Database: database,
  'What the API shows': exposure,
  Requests: requests,
  JWTs: jwts,
  'Session tokens': sessionTokens,
  Webhooks: webhooks,
  'Shutdown, log and traces': operation,
};

export const environment = z.object({
  ...addresses,
  ...database,
  ...exposure,
  ...requests,
  ...jwts,
  ...sessionTokens,
  ...webhooks,
  ...operation,
});

export type Values = z.output<typeof environment>;

/** Returns the defaults that depend on other variables. */
export function dependentDefaults({ NODE_ENV, DATABASE_URL }: Values) {
  const production = NODE_ENV === 'production';
  return {
    MIGRATE: DATABASE_URL === undefined || !production,
    GRAPHIQL: !production,
    INTROSPECTION: !production,
    REST_DOCS: !production,
    DRAIN_DELAY_MS: production ? 3000 : 0,
  };
}

/** Returns the default of each variable as it is written, before it is parsed, and whether it is a URL. */
export function writtenDefaults(): Map<string, { byDefault: string | undefined; isUrl: boolean }> {
  const { properties = {} } = z.toJSONSchema(environment, { io: 'input' });
  const entries = Object.entries(properties).map(([name, property]) => {
    const { default: byDefault, format } = typeof property === 'object' ? property : {};
    return [name, { byDefault: byDefault as string | undefined, isUrl: format === 'uri' }] as const;
  });
  return new Map(entries);
}
