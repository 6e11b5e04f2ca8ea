import type { Viewer as ViewerShape } from '../ctx.ts';
import { builder } from '../graphql/builder.ts';
import { toConnection } from '../graphql/connection.ts';
import { describeRule } from '../graphql/describe.ts';
import { ErrorInterface } from '../graphql/errors.ts';
import { expectedVersion } from '../lib/fields.ts';
import { VersionConflictError } from '../writing/errors.ts';
import { commonErrors, neverCleared, replayedDescription } from '../writing/graphql.ts';
import { idempotencyKey } from '../writing/rules.ts';
import { tenantChangePage } from './read.ts';
import * as rules from './rules.ts';
import type { TenantChangeRow, TenantRow } from './table.ts';
import { updateTenant } from './write.ts';

const manage = { scope: 'keys:manage' } as const;

const Tenant = builder.objectRef<TenantRow>('Tenant').implement({
  description: "An organisation with its own customers and accounts. Tenants cannot see each other's data.",
  fields: (t) => ({
    name: t.exposeString('name', { description: describeRule(rules.name) }),
    baseCurrency: t.exposeString('baseCurrency', {
      description: 'The invoice currency of accounts without one, an ISO 4217 code.',
    }),
    netTermDays: t.exposeInt('netTermDays', {
      description: 'The net terms in days of accounts without their own.',
    }),
    version: t.exposeInt('version', {
      description: "The tenant's version. It starts at 1, and every change adds 1.",
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: "The time of the tenant's creation.",
    }),
    updatedAt: t.field({
      type: 'DateTime',
      description: "The time of the tenant's last change. `createdAt` if it never changed.",
      resolve: ({ createdAt, updatedAt }) => updatedAt ?? createdAt,
    }),
  }),
});

const stateDescription = 'All fields that can change: `name`, `baseCurrency` and `netTermDays`';

const TenantChange = builder.objectRef<TenantChangeRow>('TenantChange').implement({
  description:
    'One change of the tenant, recorded in the same transaction. Changes are immutable and never deleted.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'The time of the request.' }),
    actor: t.exposeString('actor', {
      description:
        'The token of the request, as in the history of an account, or `cli:tenants` for the command line.',
    }),
    requestId: t.exposeString('requestId', {
      description: 'The `x-request-id` of the request. The command line makes one.',
    }),
    version: t.exposeInt('version', { description: 'The version of the tenant after the change.' }),
    before: t.expose('before', {
      type: 'JSONObject',
      description: `${stateDescription}, before the change. In the oldest change, those of the creation.`,
    }),
    after: t.expose('after', {
      type: 'JSONObject',
      description: `${stateDescription}, after the change.`,
    }),
  }),
});

builder.objectField(Tenant, 'history', (t) =>
  t.connection(
    {
      authScopes: manage,
      type: TenantChange,
      description: 'All changes of the tenant, newest first. Empty if it never changed.',
      resolve: async (_, page, ctx) => toConnection(await tenantChangePage(ctx, page)),
    },
    {
      name: 'TenantChangeConnection',
      description: 'A page of the history of the tenant.',
      authScopes: manage,
    },
    { name: 'TenantChangeEdge', description: 'A change in the history of the tenant.' },
  ),
);

const Viewer = builder.objectRef<ViewerShape>('Viewer').implement({
  description: 'The caller, as its token identifies it.',
  fields: (t) => ({
    tenant: t.expose('tenant', { type: Tenant, description: 'The tenant that the token belongs to.' }),
    scopes: t.exposeStringList('scopes', { description: describeRule(rules.scopes) }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The instant from which the token is refused. `null` if it does not expire.',
    }),
    keyName: t.exposeString('keyName', {
      description: `${describeRule(rules.keyName)} For a JWT, its subject.`,
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    authScopes: { key: true },
    type: Viewer,
    description: 'The tenant and key of the token.',
    resolve: (_, _args, ctx) => ctx.viewer,
  }),
);

builder.objectType(rules.NameTakenError, {
  name: 'NameTakenError',
  description: 'Another tenant has the name, or had it before.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    name: t.exposeString('tenantName', { description: 'The requested name.' }),
  }),
});

const UpdateTenantInput = builder.inputType('UpdateTenantInput', {
  description: 'Changes of the tenant of the token. Absent fields keep their values.',
  fields: (t) => ({
    name: t.string({
      description: `${describeRule(rules.name)} No other tenant may have it or have had it. ${neverCleared}`,
    }),
    baseCurrency: t.string({ description: describeRule(rules.baseCurrency, neverCleared) }),
    netTermDays: t.int({ description: describeRule(rules.defaultNetTermDays, neverCleared) }),
    expectedVersion: t.int({ description: describeRule(expectedVersion) }),
    idempotencyKey: t.string({ description: describeRule(idempotencyKey) }),
  }),
});

builder.mutationField('updateTenant', (t) =>
  t.field({
    authScopes: manage,
    type: builder.objectRef<{ tenant: TenantRow; replayed: boolean }>('UpdateTenantSuccess').implement({
      description: 'The tenant was changed.',
      fields: (f) => ({
        tenant: f.expose('tenant', { type: Tenant, description: 'The tenant as it is now.' }),
        replayed: f.exposeBoolean('replayed', { description: replayedDescription }),
      }),
    }),
    description:
      'Changes the tenant of the token. Accounts without their own currency or net terms inherit the new values at once, without a new version or an entry in their histories. Other replicas of the service use the new values within 5 seconds. JWTs name their tenant, so a new name invalidates the JWTs with the old one.',
    args: {
      input: t.arg({
        type: UpdateTenantInput,
        required: true,
        validate: { schema: rules.updateTenantInput },
        description: 'The changes.',
      }),
    },
    errors: {
      types: [...commonErrors, VersionConflictError, rules.NameTakenError],
      union: { name: 'UpdateTenantResult', description: 'The changed tenant, or the error.' },
    },
    resolve: async (_, { input }, ctx) => {
      const { written, replayed } = await updateTenant(ctx, input);
      return { tenant: written, replayed };
    },
  }),
);
