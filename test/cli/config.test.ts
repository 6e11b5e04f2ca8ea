import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/variables.ts';
import { readConfig } from '../../src/config.ts';

it('has defaults for every variable', () => {
  expect(readConfig({})).toMatchObject({
    production: false,
    host: '127.0.0.1',
    port: 4000,
    dataDir: expect.stringMatching(/\/\.data$/),
    databaseUrl: undefined,
    database: { poolSize: 8 },
    migrate: true,
    trustedDocuments: undefined,
    trustedDocumentsOnly: false,
    jwt: undefined,
    sessionKeys: undefined,
    logLevel: 'info',
    metricsHost: '127.0.0.1',
    endsWithParent: false,
    graphiql: true,
    exposesSchema: true,
    restDocs: true,
    corsOrigins: [],
    operationTimeoutMs: 10_000,
    costPerMinute: 60_000_000,
  });
});

it('treats an empty value as absent', () => {
  expect(readConfig({ HOST: '', PORT: '', DATABASE_URL: '', MIGRATE: '' })).toEqual(readConfig({}));
});

const url = 'postgres://me@host/db';

it.each([
  [{ NODE_ENV: 'production', DATABASE_URL: url }, false],
  [{ NODE_ENV: 'production', DATABASE_URL: url, MIGRATE: 'true' }, true],
  [{ NODE_ENV: 'production' }, true],
  [{ DATABASE_URL: url }, true],
  [{ DATABASE_URL: url, MIGRATE: 'false' }, false],
])('returns for %j whether a start migrates: %j', (env, migrate) => {
  expect(readConfig(env).migrate).toBe(migrate);
});

it('enables GraphiQL, introspection and the REST reference in production only if configured', () => {
  const production = { NODE_ENV: 'production' };
  const hidden = { graphiql: false, exposesSchema: false, restDocs: false };
  expect(readConfig(production)).toMatchObject(hidden);
  const on = { ...production, GRAPHIQL: 'true', INTROSPECTION: 'true', REST_DOCS: 'true' };
  expect(readConfig(on)).toMatchObject({ graphiql: true, exposesSchema: true, restDocs: true });
  const off = { GRAPHIQL: 'false', INTROSPECTION: 'false', REST_DOCS: 'false' };
  expect(readConfig(off)).toMatchObject(hidden);
});

it.each([
  ['start', true],
  ['dev', true],
  ['npx', true],
  ['deploy', false],
  ['', false],
])(
  'returns for the npm script %j whether the service ends with npm: %j',
  (npm_lifecycle_event, endsWithParent) => {
    expect(readConfig({ npm_lifecycle_event })).toMatchObject({ endsWithParent });
  },
);

it('splits origins at commas', () => {
  const { corsOrigins } = readConfig({ CORS_ORIGINS: 'https://a.example.com, http://localhost:3000' });
  expect(corsOrigins).toEqual(['https://a.example.com', 'http://localhost:3000']);
});

it.each([
  ['PORT', ['-1', '65536', '80.5', '0x50', '1e3', ' 80', 'abc'], 'a whole number from 0 to 65535'],
  ['DATABASE_POOL_SIZE', ['0', '101', 'many'], 'a whole number from 1 to 100'],
  ['MIGRATE', ['yes', '1', 'TRUE'], 'true or false'],
  ['TRUSTED_DOCUMENTS_ONLY', ['yes'], 'true or false'],
  ['GRAPHIQL', ['yes'], 'true or false'],
  ['INTROSPECTION', ['on'], 'true or false'],
  ['REST_DOCS', ['on'], 'true or false'],
  [
    'CORS_ORIGINS',
    ['*', 'https://a.example.com/', 'a.example.com', 'https://a.example.com,', 'null'],
    'origins such as https://app.example.com, separated by commas',
  ],
  ['OPERATION_TIMEOUT_MS', ['0', '600001', '10s'], 'a whole number from 1 to 600000'],
  ['RATE_LIMIT', ['-1', '1e6', 'none'], 'a whole number from 0 to 999999999'],
  ['NODE_ENV', ['staging'], 'development, production or test'],
  [
    'JWT_JWKS_URL',
    [
      'keys',
      'http://issuer.example/jwks',
      'ftp://issuer.example/jwks',
      'http://127.0.0.1.example/jwks',
      'https://me:secret@issuer.example/jwks',
    ],
    'an https URL, or an http URL of this machine, without a user name',
  ],
  ['LOG_LEVEL', ['loud'], 'trace, debug, info, warn, error, fatal or silent'],
  [
    'DATABASE_URL',
    [
      'nowhere',
      'mysql://host/db',
      'postgres://me:p#w@host/db',
      'postgres://me:1#w@host/db',
      'postgres://me:1/w@host/db',
      'postgres://me:100%@host/db',
    ],
    'a URL such as postgres://user:password@host:5432/database',
  ],
])('rejects %s with the values %j', (name, values, must) => {
  for (const value of values) expect(() => readConfig({ [name]: value })).toThrow(`${name} must be ${must}.`);
});

it('rejects TRUSTED_DOCUMENTS_ONLY without TRUSTED_DOCUMENTS', () => {
  expect(() => readConfig({ TRUSTED_DOCUMENTS_ONLY: 'true' })).toThrow(
    'TRUSTED_DOCUMENTS_ONLY=true requires TRUSTED_DOCUMENTS.',
  );
});

const issuer = { JWT_ISSUER: 'https://issuer.example', JWT_AUDIENCE: 'accountgraph' };

it.each(['https://issuer.example/jwks', 'http://localhost:8080/jwks', 'http://[::1]/jwks'])(
  'accepts %s as JWT_JWKS_URL',
  (url) => {
    expect(readConfig({ ...issuer, JWT_JWKS_URL: url }).jwt).toEqual({
      keys: { url: new URL(url) },
      issuer: 'https://issuer.example',
      audience: 'accountgraph',
      tenantClaim: 'tenant',
      scopeClaim: 'scope',
    });
  },
);

it.each([
  { ...issuer },
  { ...issuer, JWT_JWKS_URL: 'https://issuer.example/jwks', JWT_KEY_FILE: 'key.pem' },
  { JWT_KEY_FILE: 'key.pem', JWT_ISSUER: 'https://issuer.example' },
  { JWT_KEY_FILE: 'key.pem', JWT_AUDIENCE: 'accountgraph' },
])('rejects an incomplete configuration of JWTs: %j', (env) => {
  expect(() => readConfig(env)).toThrow(
    'To accept JWTs, set JWT_ISSUER, JWT_AUDIENCE, and one of JWT_JWKS_URL and JWT_KEY_FILE.',
  );
});

it('names all conflicts between variables', () => {
  const env = { TRUSTED_DOCUMENTS_ONLY: 'true', JWT_ISSUER: 'me', DATABASE_LOCK_TIMEOUT_MS: '3000' };
  const problems = [
    'TRUSTED_DOCUMENTS_ONLY=true requires TRUSTED_DOCUMENTS.',
    'DATABASE_LOCK_TIMEOUT_MS must not be longer than DATABASE_STATEMENT_TIMEOUT_MS, because a statement waits for locks while it runs.',
    'To accept JWTs, set JWT_ISSUER, JWT_AUDIENCE, and one of JWT_JWKS_URL and JWT_KEY_FILE.',
  ];
  expect(() => readConfig(env)).toThrow(new ConfigError(problems));
});

describe('SESSION_KEYS', () => {
  const [first, second] = ['1'.repeat(32), `${'=/+'.repeat(20)}!`];

  it('returns keys in order and ignores spaces around commas', () => {
    const { sessionKeys = [] } = readConfig({ SESSION_KEYS: `${first}, ${second},` });
    expect(sessionKeys.map((key) => key.export().toString())).toEqual([first, second]);
  });

  it.each(['Hunter2'.repeat(4), `${first},Hunter2`, `Hunter2 ${first}`, `Hunter2é${first}`, ','])(
    'refuses %j and does not repeat it',
    (value) => {
      const problem =
        'SESSION_KEYS must be keys of at least 32 visible ASCII characters, separated by commas or line breaks.';
      expect(() => readConfig({ SESSION_KEYS: value })).toThrow(new ConfigError([problem]));
    },
  );
});
