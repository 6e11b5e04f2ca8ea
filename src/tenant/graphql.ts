import type { Viewer as ViewerShape } from '../ctx.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import * as rules from './rules.ts';

const Tenant = builder.objectRef<ViewerShape['tenant']>('Tenant').implement({
  description: 'The organisation whose customers and accounts these are. Tenants see nothing of each other.',
  fields: (t) => ({
    name: t.exposeString('name', { description: describeRule(rules.name) }),
    baseCurrency: t.exposeString('baseCurrency', {
      description: 'The invoice currency of accounts that have none of their own, an ISO 4217 code.',
    }),
    netTermDays: t.exposeInt('netTermDays', {
      description: 'Days until an invoice is due, for accounts that have no net terms of their own.',
    }),
  }),
});

const Viewer = builder.objectRef<ViewerShape>('Viewer').implement({
  description: 'Who you are to the service: what your token stands for.',
  fields: (t) => ({
    tenant: t.expose('tenant', { type: Tenant, description: 'The tenant that the token belongs to.' }),
    scopes: t.exposeStringList('scopes', { description: describeRule(rules.scopes) }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The instant from which the token is refused; `null` when it has no end.',
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
    description: 'The tenant and the key of this token.',
    resolve: (_, _args, ctx) => ctx.viewer,
  }),
);
