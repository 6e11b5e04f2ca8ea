import { kinds } from '../feed/rules.ts';
import { type ChangeKind, changeKinds } from '../history/rules.ts';
import { entityReference, expectedVersion } from '../lib/fields.ts';
import { text } from '../lib/rule.ts';
import { z } from '../lib/zod.ts';
import { idempotencyKey } from '../writing/rules.ts';

export const statuses = {
  ENABLED: 'The endpoint receives changes.',
  DISABLED: 'The endpoint receives nothing. Changes wait until it is enabled again.',
} as const;
export type EndpointStatus = keyof typeof statuses;

export const payloads = {
  THIN: 'Which entity changed, and how: ids, kind, version and position.',
  FULL: 'Also the changed fields before and after. Left out, with `truncated: true`, if the body would exceed 20,000 bytes.',
} as const;
export type Payload = keyof typeof payloads;

export const exhaustions = {
  SKIP: 'Skip the change, and continue with the next one of the account.',
  BLOCK: "Stop. The account's changes wait until a redelivery includes the change.",
} as const;
export type OnExhausted = keyof typeof exhaustions;

export const endpointChangeKinds = {
  WEBHOOK_ENDPOINT_CREATED: 'The endpoint was created.',
  WEBHOOK_ENDPOINT_UPDATED: 'Fields of the endpoint changed.',
  WEBHOOK_ENDPOINT_DELETED: 'The endpoint was deleted.',
  WEBHOOK_SECRET_ROTATED: 'The endpoint got a new secret.',
  WEBHOOK_REDELIVERED: 'A redelivery was requested.',
} as const;
export type EndpointChangeKind = keyof typeof endpointChangeKinds;

/** The most endpoints of a tenant. */
export const maxEndpoints = 50;
/** How long the previous secret signs after a rotation. */
export const rotationHours = 24;
/** The most changes that one redelivery covers. */
export const maxRedelivered = 100_000;

export const url = text({ min: 1, max: 2000 }).describe(
  'The https URL that receives the requests. It must point to a public address, and redirects are not followed.',
);
export const description = text({ min: 0, max: 500 }).describe('A note for people. Empty by default.');
export const nodeId = text({ min: 1, max: 100 }).describe("The endpoint's `nodeId`.");

/** The kinds in the order of their definition, each once. */
const chosenKinds = kinds.transform((given) =>
  (Object.keys(changeKinds) as ChangeKind[]).filter((kind) => given.includes(kind)),
);

const choices = {
  description: description.nullish(),
  kinds: chosenKinds.nullish(),
  customerId: entityReference.nullish(),
  payload: z.enum(Object.keys(payloads) as [Payload]).nullish(),
  onExhausted: z.enum(Object.keys(exhaustions) as [OnExhausted]).nullish(),
};

export const createInput = z.object({
  ...choices,
  url,
  after: z.string().nullish(),
  idempotencyKey: idempotencyKey.nullish(),
});
export type CreateInput = z.output<typeof createInput>;

export const endpointInput = z.object({
  nodeId,
  expectedVersion: expectedVersion.nullish(),
  idempotencyKey: idempotencyKey.nullish(),
});
export type EndpointInput = z.output<typeof endpointInput>;

export const testInput = endpointInput.omit({ expectedVersion: true });
export type TestInput = z.output<typeof testInput>;

export const updateInput = z.object({
  ...endpointInput.shape,
  ...choices,
  url: url.nullish(),
  status: z.enum(Object.keys(statuses) as [EndpointStatus]).nullish(),
});
export type UpdateInput = z.output<typeof updateInput>;

export const redeliverInput = z.object({
  nodeId,
  from: z.string(),
  to: z.string(),
  idempotencyKey: idempotencyKey.nullish(),
});
export type RedeliverInput = z.output<typeof redeliverInput>;
