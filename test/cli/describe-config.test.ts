import { describe, expect, it } from 'vitest';
import { describeConfig } from '../../src/config/describe.ts';
import { environment } from '../../src/config/environment.ts';

const url = 'postgres://me@host/db';

describe('describeConfig', () => {
  const inForce = (env: NodeJS.ProcessEnv) =>
    Object.fromEntries(describeConfig(env).map(({ name, value, source }) => [name, [value, source]]));

  it('returns every variable with its default', () => {
    const described = describeConfig({});
    expect(described.map(({ name }) => name)).toEqual(Object.keys(environment.shape));
    expect(new Set(described.map(({ source }) => source))).toEqual(new Set(['default']));
    expect(inForce({})).toMatchObject({
      PORT: ['4000', 'default'],
      METRICS_PORT: [null, 'default'],
      SESSION_KEYS: [null, 'default'],
      WEBHOOK_RETRY_DELAYS: ['5s,5m,30m,2h,5h,10h,14h,20h,24h', 'default'],
    });
  });

  it('returns the values in force of defaults that depend on other variables', () => {
    const shown = ['MIGRATE', 'GRAPHIQL', 'INTROSPECTION', 'REST_DOCS', 'DRAIN_DELAY_MS'];
    const valuesIn = (env: NodeJS.ProcessEnv) => shown.map((name) => inForce(env)[name]?.[0]);
    expect(valuesIn({})).toEqual(['true', 'true', 'true', 'true', '0']);
    const production = { NODE_ENV: 'production', DATABASE_URL: url };
    expect(valuesIn(production)).toEqual(['false', 'false', 'false', 'false', '3000']);
    expect(valuesIn({ NODE_ENV: 'production', GRAPHIQL: 'true' })[1]).toBe('true');
    expect(valuesIn({ NODE_ENV: 'production' })[0]).toBe('true');
  });

  it('masks only the password and unknown parameters of a URL', () => {
    const secret = 'postgres://me:Hunter2@db.example:5432/accounts?sslmode=require&sslpassword=Hunter2';
    const masked = 'postgres://me:***@db.example:5432/accounts?sslmode=require&***';
    expect(inForce({ DATABASE_URL: secret }).DATABASE_URL).toEqual([masked, 'environment']);
    expect(inForce({ DATABASE_URL: url }).DATABASE_URL).toEqual([url, 'environment']);
    const query = 'postgres://me:1?Hunter2@db.example/accounts';
    expect(inForce({ DATABASE_URL: query }).DATABASE_URL).toEqual(['postgres://me:1?***', 'environment']);
    const collector = 'https://me:Hunter2@collector.example/v1?key=Hunter2';
    expect(inForce({ OTEL_EXPORTER_OTLP_ENDPOINT: collector }).OTEL_EXPORTER_OTLP_ENDPOINT?.[0]).toBe(
      'https://me:***@collector.example/v1?***',
    );
  });
});
