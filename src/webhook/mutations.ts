import { builder } from '../graphql/builder.ts';
import { NotFoundError } from '../lib/errors.ts';
import { LimitExceededError, VersionConflictError } from '../writing/errors.ts';
import { commonErrors, replayedDescription } from '../writing/graphql.ts';
import { redeliver, type Tested, testEndpoint } from './attempts.ts';
import { Attempt, Endpoint, manage } from './graphql.ts';
import * as inputs from './inputs.ts';
import { findEndpoint } from './read.ts';
import * as rules from './rules.ts';
import type { EndpointRow } from './table.ts';
import { createEndpoint, deleteEndpoint, rotateSecret, updateEndpoint, type WithSecret } from './write.ts';

const endpointDescription = 'The endpoint as it is now.';
const secretDescription =
  'The HMAC secret (`whsec_…`) that verifies the `v1` signatures. Shown only here: `null` if the result is replayed.';

function secretSuccess(name: string, description: string) {
  return builder.objectRef<WithSecret & { replayed: boolean }>(name).implement({
    description,
    fields: (t) => ({
      webhookEndpoint: t.expose('endpoint', { type: Endpoint, description: endpointDescription }),
      secret: t.exposeString('secret', { nullable: true, description: secretDescription }),
      replayed: t.exposeBoolean('replayed', { description: replayedDescription }),
    }),
  });
}

function endpointSuccess(name: string, description: string) {
  return builder.objectRef<{ endpoint: EndpointRow; replayed: boolean }>(name).implement({
    description,
    fields: (t) => ({
      webhookEndpoint: t.expose('endpoint', { type: Endpoint, description: endpointDescription }),
      replayed: t.exposeBoolean('replayed', { description: replayedDescription }),
    }),
  });
}

const changeErrors = [...commonErrors, NotFoundError, VersionConflictError];

/** An endpoint receives what these scopes can read. */
const manageAndRead = {
  $all: { ...manage, $all: { scope: 'accounts:read', $all: { scope: 'customers:read' } } },
} as const;

builder.mutationField('createWebhookEndpoint', (t) =>
  t.field({
    authScopes: manageAndRead,
    type: secretSuccess('CreateWebhookEndpointSuccess', 'The endpoint was created.'),
    description: `Creates a webhook endpoint. The result has its secret, which is shown only once. A tenant can have ${rules.maxEndpoints} endpoints.`,
    args: {
      input: t.arg({
        type: inputs.CreateWebhookEndpointInput,
        required: true,
        validate: { schema: rules.createInput },
        description: 'The new endpoint.',
      }),
    },
    errors: {
      // A repeated request whose endpoint has been deleted.
      types: [...commonErrors, NotFoundError, LimitExceededError],
      union: { name: 'CreateWebhookEndpointResult', description: 'The new endpoint, or the error.' },
    },
    resolve: (_, { input }, ctx) => createEndpoint(ctx, input),
  }),
);

builder.mutationField('updateWebhookEndpoint', (t) =>
  t.field({
    authScopes: manageAndRead,
    type: endpointSuccess('UpdateWebhookEndpointSuccess', 'The endpoint was changed.'),
    description:
      'Changes a webhook endpoint. A new filter applies to all changes that have not been delivered yet.',
    args: {
      input: t.arg({
        type: inputs.UpdateWebhookEndpointInput,
        required: true,
        validate: { schema: rules.updateInput },
        description: 'The changes.',
      }),
    },
    errors: {
      types: changeErrors,
      union: { name: 'UpdateWebhookEndpointResult', description: 'The changed endpoint, or the error.' },
    },
    resolve: (_, { input }, ctx) => updateEndpoint(ctx, input),
  }),
);

builder.mutationField('deleteWebhookEndpoint', (t) =>
  t.field({
    authScopes: manage,
    type: builder.objectRef<{ nodeId: string; replayed: boolean }>('DeleteWebhookEndpointSuccess').implement({
      description: 'The endpoint was deleted.',
      fields: (f) => ({
        nodeId: f.exposeID('nodeId', { description: 'The node id of the deleted endpoint.' }),
        replayed: f.exposeBoolean('replayed', { description: replayedDescription }),
      }),
    }),
    description:
      'Deletes a webhook endpoint with its attempts. A request that is being sent may still arrive.',
    args: {
      input: t.arg({
        type: inputs.DeleteWebhookEndpointInput,
        required: true,
        validate: { schema: rules.endpointInput },
        description: 'The endpoint.',
      }),
    },
    errors: {
      types: changeErrors,
      union: {
        name: 'DeleteWebhookEndpointResult',
        description: 'The id of the deleted endpoint, or the error.',
      },
    },
    resolve: async (_, { input }, ctx) => {
      const { written, replayed } = await deleteEndpoint(ctx, input);
      return { nodeId: written, replayed };
    },
  }),
);

builder.mutationField('rotateWebhookSecret', (t) =>
  t.field({
    authScopes: manage,
    type: secretSuccess('RotateWebhookSecretSuccess', 'The endpoint has a new secret.'),
    description: `Gives a webhook endpoint a new secret, which is shown only once. For ${rules.rotationHours} hours, requests have signatures of both secrets.`,
    args: {
      input: t.arg({
        type: inputs.RotateWebhookSecretInput,
        required: true,
        validate: { schema: rules.endpointInput },
        description: 'The endpoint.',
      }),
    },
    errors: {
      types: changeErrors,
      union: {
        name: 'RotateWebhookSecretResult',
        description: 'The endpoint and its new secret, or the error.',
      },
    },
    resolve: (_, { input }, ctx) => rotateSecret(ctx, input),
  }),
);

builder.mutationField('testWebhookEndpoint', (t) =>
  t.field({
    authScopes: manage,
    type: builder.objectRef<Tested>('TestWebhookEndpointSuccess').implement({
      description: 'The test was sent. Whether it succeeded is in `attempt`.',
      fields: (f) => ({
        webhookEndpoint: f.expose('endpoint', { type: Endpoint, description: endpointDescription }),
        attempt: f.expose('attempt', { type: Attempt, description: 'The request and its response.' }),
        replayed: f.exposeBoolean('replayed', { description: replayedDescription }),
      }),
    }),
    description:
      'Sends a signed request with the type `webhook.test` to an endpoint, and returns its response.',
    args: {
      input: t.arg({
        type: inputs.TestWebhookEndpointInput,
        required: true,
        validate: { schema: rules.testInput },
        description: 'The endpoint.',
      }),
    },
    errors: {
      types: [...commonErrors, NotFoundError],
      union: { name: 'TestWebhookEndpointResult', description: 'The attempt, or the error.' },
    },
    resolve: (_, { input }, ctx) => testEndpoint(ctx, input),
  }),
);

builder.mutationField('redeliver', (t) =>
  t.field({
    authScopes: manageAndRead,
    type: endpointSuccess('RedeliverSuccess', 'The changes will be delivered again.'),
    description:
      'Delivers the changes of a range of positions again, with the same `webhook-id`, in the order of their versions. Newer changes of their accounts wait meanwhile. Also continues accounts that are blocked. Changes that the filter of the endpoint leaves out are not included.',
    args: {
      input: t.arg({
        type: inputs.RedeliverInput,
        required: true,
        validate: { schema: rules.redeliverInput },
        description: 'The endpoint and the range.',
      }),
    },
    errors: {
      types: [...commonErrors, NotFoundError],
      union: { name: 'RedeliverResult', description: 'The endpoint, or the error.' },
    },
    resolve: async (_, { input }, ctx) => {
      const { replayed } = await redeliver(ctx, input);
      const endpoint = await findEndpoint(ctx, input.nodeId);
      if (endpoint === null) throw new NotFoundError('WebhookEndpoint', input.nodeId);
      return { endpoint, replayed };
    },
  }),
);
