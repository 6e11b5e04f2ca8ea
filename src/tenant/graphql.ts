import type { Viewer as ViewerShape } from '../ctx.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import * as rules from './rules.ts';

const Tenant = builder.objectRef<ViewerShape['tenant']>('Tenant').implement({
  description:
    'An organisation with its own customers and accounts. Tenants cannot see the data of each other.',
  fields: (t) => ({
    name: t.exposeString('name', { description: describeRule(rules.name) }),
    baseCurrency: t.exposeString('baseCurrency', {
      description: 'The invoice currency of accounts that have none of their own, as an ISO 4217 code.',
    }),
    netTermDays: t.exposeInt('netTermDays', {
      description: 'Days until an invoice is due, for accounts that have no net terms of their own.',
    }),
  }),
});

const Viewer = builder.objectRef<ViewerShape>('Viewer').implement({
  description: 'The caller, as identified by the token of the request.',
  fields: (t) => ({
    tenant: t.expose('tenant', { type: Tenant, description: 'The tenant that the token belongs to.' }),
    scopes: t.exposeStringList('scopes', { description: describeRule(rules.scopes) }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the token expires; `null` if it never expires.',
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
    description: 'The caller of this request: its tenant, key and scopes.',
    resolve: (_, _args, ctx) => ctx.viewer,
  }),
);
