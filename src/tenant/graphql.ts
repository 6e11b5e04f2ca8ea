import type { Viewer as ViewerShape } from '../ctx.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import * as rules from './rules.ts';

const Tenant = builder.objectRef<ViewerShape['tenant']>('Tenant').implement({
  description: "An organisation with its own customers and accounts. Tenants cannot see each other's data.",
  fields: (t) => ({
    name: t.exposeString('name', { description: describeRule(rules.name) }),
    baseCurrency: t.exposeString('baseCurrency', {
      description: 'The invoice currency of accounts without one, an ISO 4217 code.',
    }),
    netTermDays: t.exposeInt('netTermDays', {
      description: 'The net terms in days of accounts without their own.',
    }),
  }),
});

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
