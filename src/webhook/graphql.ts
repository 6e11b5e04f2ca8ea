import { encodePosition } from '../feed/position.ts';
import { builder } from '../graphql/builder.ts';
import { toConnection } from '../graphql/connection.ts';
import { describeRule } from '../graphql/describe.ts';
import { describedEnum } from '../graphql/errors.ts';
import { ChangeKindEnum } from '../history/graphql.ts';
import { toTypeId } from '../lib/id.ts';
import * as inputs from './inputs.ts';
import {
  attemptPage,
  type Backlog,
  changeAtPosition,
  endpointChangePage,
  endpointPage,
  findBacklog,
  findEndpoint,
} from './read.ts';
import * as rules from './rules.ts';
import type { AttemptRow, EndpointChangeRow, EndpointRow } from './table.ts';

export const manage = { scope: 'webhooks:manage' } as const;

export const Attempt = builder.objectRef<AttemptRow>('WebhookAttempt').implement({
  description: 'One request to an endpoint. Kept for 30 days.',
  fields: (t) => ({
    id: t.id({
      description: "The system's id, such as `attempt_01m84fadmwe03rqpvwbebaam9z`.",
      resolve: ({ id }) => toTypeId('WebhookAttempt', id),
    }),
    changeId: t.id({
      nullable: true,
      description: 'The `id` of the change, which is the `webhook-id` of the request. `null` for a test.',
      resolve: ({ changeId }) => (changeId === null ? null : toTypeId('Change', changeId)),
    }),
    attempt: t.exposeInt('attempt', { description: 'The number of the attempt for its change, from 1.' }),
    at: t.expose('at', { type: 'DateTime', description: 'The time when the request started.' }),
    durationMs: t.exposeInt('durationMs', { description: 'The time until the response, in milliseconds.' }),
    status: t.exposeInt('status', {
      nullable: true,
      description: 'The HTTP status. Only 2xx is a success. `null` if no response arrived.',
    }),
    error: t.exposeString('error', {
      nullable: true,
      description: 'Why no complete response arrived. `null` if one did.',
    }),
    response: t.exposeString('response', { description: 'The first 1,024 bytes of the response body.' }),
  }),
});

const AttemptConnection = builder.connectionObject(
  { type: Attempt, name: 'WebhookAttemptConnection', description: 'A page of attempts.' },
  { name: 'WebhookAttemptEdge', description: 'An attempt in a list.' },
);

const EndpointChangeKind = describedEnum<rules.EndpointChangeKind>(
  'WebhookEndpointChangeKind',
  'The kinds of changes of webhook endpoints.',
  rules.endpointChangeKinds,
);

const EndpointChange = builder.objectRef<EndpointChangeRow>('WebhookEndpointChange').implement({
  description:
    'One change of a webhook endpoint, recorded in the same transaction. Secrets are never recorded.',
  fields: (t) => ({
    id: t.id({ description: "The system's id.", resolve: ({ id }) => toTypeId('Change', id) }),
    kind: t.expose('kind', { type: EndpointChangeKind, description: 'The kind of change.' }),
    at: t.expose('at', { type: 'DateTime', description: 'The time of the request.' }),
    actor: t.exposeString('actor', {
      description: 'The token of the request, as in the history of an account.',
    }),
    requestId: t.exposeString('requestId', { description: 'The `x-request-id` of the request.' }),
    version: t.exposeInt('version', { description: 'The version of the endpoint after the change.' }),
    before: t.expose('before', {
      type: 'JSONObject',
      nullable: true,
      description: 'The changed fields before the change. `null` if none were recorded.',
    }),
    after: t.expose('after', {
      type: 'JSONObject',
      nullable: true,
      description: 'The changed fields after the change. `null` if none were recorded.',
    }),
  }),
});

const EndpointChangeConnection = builder.connectionObject(
  {
    type: EndpointChange,
    name: 'WebhookEndpointChangeConnection',
    description: 'A page of the history of an endpoint.',
  },
  { name: 'WebhookEndpointChangeEdge', description: 'A change in the history of an endpoint.' },
);

const BacklogType = builder.objectRef<Backlog>('WebhookBacklog').implement({
  description: 'What an endpoint has not received yet.',
  fields: (t) => ({
    positions: t.exposeInt('positions', {
      description: 'The number of changes in the feed that have not been looked at yet.',
    }),
    lanes: t.exposeInt('lanes', {
      description: 'The number of accounts and customers with changes that have not been delivered yet.',
    }),
    blocked: t.exposeInt('blocked', {
      description: 'The number of these that are blocked until a redelivery, because all attempts failed.',
    }),
  }),
});

export const Endpoint = builder.objectRef<EndpointRow>('WebhookEndpoint').implement({
  description:
    'A URL that receives the changes of accounts and customers as signed requests (Standard Webhooks 1.0.0): at least once, and those of one account in the order of their versions.',
  authScopes: manage,
  fields: (t) => ({
    nodeId: t.id({
      description: 'The id made by the system, such as `endpoint_01m84fadmwe03rqpvwbebaam9z`.',
      resolve: ({ id }) => toTypeId('WebhookEndpoint', id),
    }),
    url: t.exposeString('url', { description: describeRule(rules.url) }),
    description: t.exposeString('description', { description: describeRule(rules.description) }),
    kinds: t.expose('kinds', {
      type: [ChangeKindEnum],
      nullable: true,
      description: 'The kinds of changes that the endpoint receives. `null` means all.',
    }),
    customerId: t.exposeID('customerId', {
      nullable: true,
      description:
        'The customer whose changes, and those of its accounts, the endpoint receives. `null` means all.',
    }),
    payload: t.expose('payload', { type: inputs.Payload, description: 'How much the requests contain.' }),
    onExhausted: t.expose('onExhausted', {
      type: inputs.OnExhausted,
      description: 'What happens to a change whose last attempt failed.',
    }),
    status: t.expose('status', {
      type: inputs.EndpointStatus,
      description: 'Whether the endpoint receives changes.',
    }),
    disabledReason: t.exposeString('disabledReason', {
      nullable: true,
      description: 'Why the service disabled the endpoint. `null` if it did not.',
    }),
    publicKey: t.exposeString('publicKey', {
      description:
        'The ed25519 public key (`whpk_…`) that verifies the `v1a` signatures of the current secret.',
    }),
    position: t.field({
      type: 'Position',
      description: 'The position up to which changes have been delivered or wait in `backlog.lanes`.',
      resolve: async ({ position }, _, ctx) =>
        encodePosition({ position, changeId: await changeAtPosition(ctx, position) }),
    }),
    backlog: t.field({
      type: BacklogType,
      description: 'What the endpoint has not received yet. Costs one database query per endpoint.',
      resolve: (endpoint, _, ctx) => findBacklog(ctx, endpoint),
    }),
    version: t.exposeInt('version', { description: 'Increases by 1 with every change of the endpoint.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'The time of creation.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'The time of the last change.' }),
  }),
});

builder.objectField(Endpoint, 'attempts', (t) =>
  t.connection(
    {
      type: Attempt,
      description: 'The requests of the last 30 days, newest first. Costs one database query per endpoint.',
      resolve: async ({ id }, page, ctx) => toConnection(await attemptPage(ctx, id, page)),
    },
    AttemptConnection,
  ),
);

builder.objectField(Endpoint, 'history', (t) =>
  t.connection(
    {
      type: EndpointChange,
      description: 'All changes of the endpoint, newest first. Costs one database query per endpoint.',
      resolve: async ({ id }, page, ctx) => toConnection(await endpointChangePage(ctx, id, page)),
    },
    EndpointChangeConnection,
  ),
);

builder.queryField('webhookEndpoint', (t) =>
  t.field({
    authScopes: manage,
    type: Endpoint,
    nullable: true,
    description: 'The webhook endpoint with this node id. `null` if there is none.',
    args: { nodeId: t.arg.id({ required: true, description: describeRule(rules.nodeId) }) },
    resolve: (_, { nodeId }, ctx) => findEndpoint(ctx, nodeId),
  }),
);

builder.queryField('webhookEndpoints', (t) =>
  t.connection(
    {
      authScopes: manage,
      type: Endpoint,
      description: "The tenant's webhook endpoints, newest first.",
      resolve: async (_, page, ctx) => toConnection(await endpointPage(ctx, page)),
    },
    { name: 'WebhookEndpointConnection', description: 'A page of webhook endpoints.', authScopes: manage },
    { name: 'WebhookEndpointEdge', description: 'A webhook endpoint in a list.' },
  ),
);
