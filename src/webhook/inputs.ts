import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { describedEnum } from '../graphql/errors.ts';
import { ChangeKindEnum } from '../history/graphql.ts';
import { expectedVersion } from '../lib/fields.ts';
import { neverCleared } from '../writing/graphql.ts';
import { idempotencyKey } from '../writing/rules.ts';
import * as rules from './rules.ts';

export const EndpointStatus = describedEnum<rules.EndpointStatus>(
  'WebhookEndpointStatus',
  'Whether an endpoint receives changes.',
  rules.statuses,
);
export const Payload = describedEnum<rules.Payload>(
  'WebhookPayload',
  'How much of a change a webhook contains.',
  rules.payloads,
);
export const OnExhausted = describedEnum<rules.OnExhausted>(
  'WebhookOnExhausted',
  'What happens to a change whose last attempt failed.',
  rules.exhaustions,
);

type InputFields = PothosSchemaTypes.InputFieldBuilder<typeof builder.$inferSchemaTypes, 'InputObject'>;

const keyField = (t: InputFields) => t.string({ description: describeRule(idempotencyKey) });
const nodeIdField = (t: InputFields) => t.id({ required: true, description: describeRule(rules.nodeId) });

/** The fields that a create and an update share. `absent` says what a missing field means. */
function choices(t: InputFields, absent: (byDefault: string) => string, cleared: string) {
  return {
    description: t.string({ description: describeRule(rules.description) }),
    kinds: t.field({
      type: [ChangeKindEnum],
      description: `Only changes of these kinds. ${absent('all kinds')}`,
    }),
    customerId: t.id({
      description: `Only changes of this customer and of its accounts. ${absent('all customers')}`,
    }),
    payload: t.field({
      type: Payload,
      description: `How much the requests contain. ${absent('`FULL`')}${cleared}`,
    }),
    onExhausted: t.field({
      type: OnExhausted,
      description: `What happens to a change whose last attempt failed. ${absent('`SKIP`')}${cleared}`,
    }),
  };
}

export const CreateWebhookEndpointInput = builder.inputType('CreateWebhookEndpointInput', {
  description: 'A new webhook endpoint.',
  fields: (t) => ({
    url: t.string({ required: true, description: describeRule(rules.url) }),
    ...choices(t, (byDefault) => `Default: ${byDefault}.`, ''),
    after: t.field({
      type: 'Position',
      description: 'Deliver the changes after this position. Default: changes from now on.',
    }),
    idempotencyKey: keyField(t),
  }),
});

export const UpdateWebhookEndpointInput = builder.inputType('UpdateWebhookEndpointInput', {
  description: 'Changes of a webhook endpoint. Absent fields keep their values.',
  fields: (t) => ({
    nodeId: nodeIdField(t),
    url: t.string({ description: `${describeRule(rules.url)} ${neverCleared}` }),
    ...choices(
      t,
      (byDefault) => (byDefault.startsWith('`') ? '' : `\`null\` means ${byDefault}.`),
      neverCleared,
    ),
    status: t.field({
      type: EndpointStatus,
      description: `Enables or disables the endpoint. Changes wait while it is disabled. ${neverCleared}`,
    }),
    expectedVersion: t.int({ description: describeRule(expectedVersion) }),
    idempotencyKey: keyField(t),
  }),
});

function endpointInput(name: string, description: string) {
  return builder.inputType(name, {
    description,
    fields: (t) => ({
      nodeId: nodeIdField(t),
      expectedVersion: t.int({ description: describeRule(expectedVersion) }),
      idempotencyKey: keyField(t),
    }),
  });
}

export const DeleteWebhookEndpointInput = endpointInput(
  'DeleteWebhookEndpointInput',
  'Names the webhook endpoint, which is deleted.',
);
export const RotateWebhookSecretInput = endpointInput(
  'RotateWebhookSecretInput',
  'The webhook endpoint that gets a new secret.',
);
export const TestWebhookEndpointInput = builder.inputType('TestWebhookEndpointInput', {
  description: 'The webhook endpoint that receives a test.',
  fields: (t) => ({ nodeId: nodeIdField(t), idempotencyKey: keyField(t) }),
});

export const RedeliverInput = builder.inputType('RedeliverInput', {
  description: 'The changes to deliver again.',
  fields: (t) => ({
    nodeId: nodeIdField(t),
    from: t.field({ type: 'Position', required: true, description: 'The position of the first change.' }),
    to: t.field({
      type: 'Position',
      required: true,
      description: `The position of the last change, less than ${rules.maxRedelivered} changes later.`,
    }),
    idempotencyKey: keyField(t),
  }),
});
