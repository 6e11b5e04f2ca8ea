import { randomUUID } from 'node:crypto';
import { expect, vi } from 'vitest';
import { mutate, type webhookMutationNames } from './mutations.ts';
import type { Client, Json } from './service.ts';
import type { Received } from './webhook-receiver.ts';

type WebhookMutation = (typeof webhookMutationNames)[number];

const endpointFields = 'nodeId status disabledReason version position backlog { positions lanes blocked }';

/** Every field of an endpoint that is stored. */
export const storedEndpointFields = `nodeId url description kinds customerId payload onExhausted status disabledReason
  publicKey position version createdAt updatedAt`;

const error = `... on Error { code message ... on InvalidInputError { issues { path code message } }
  ... on NotFoundError { type id } ... on VersionConflictError { currentVersion } ... on LimitExceededError { limit } }`;

/** Returns the document of a mutation of webhook endpoints, which selects these fields of its success. */
export function webhookMutation(name: WebhookMutation, fields: string): string {
  const type = name === 'redeliver' ? 'Redeliver' : name.charAt(0).toUpperCase() + name.slice(1);
  return `mutation($input: ${type}Input!) { ${name}(input: $input) {
    __typename ... on ${type}Success { ${fields} } ${error} } }`;
}

/** Sends a mutation of webhook endpoints and returns its result, a success or an error. */
export async function tryWebhooks(
  client: Client,
  name: WebhookMutation,
  input: object,
  fields = 'replayed',
): Promise<Json> {
  const { data, errors } = await client.send(webhookMutation(name, fields), { input });
  expect(errors).toBeUndefined();
  return data[name];
}

/** Creates an endpoint, which must succeed. Returns its fields and its secret. */
export async function createEndpoint(client: Client, input: object, fields = endpointFields): Promise<Json> {
  const selected = `webhookEndpoint { ${fields} } secret replayed`;
  const created = await tryWebhooks(client, 'createWebhookEndpoint', input, selected);
  expect(created).toMatchObject({ __typename: 'CreateWebhookEndpointSuccess', replayed: false });
  return { ...created.webhookEndpoint, secret: created.secret };
}

export async function findEndpoint(client: Client, nodeId: string, fields = endpointFields): Promise<Json> {
  const document = `query($nodeId: ID!) { webhookEndpoint(nodeId: $nodeId) { ${fields} } }`;
  const { data, errors } = await client.send(document, { nodeId });
  expect(errors).toBeUndefined();
  return data.webhookEndpoint;
}

/** Waits until an endpoint has nothing left to receive. */
export async function settled(client: Client, { nodeId }: Json): Promise<void> {
  const idle = { positions: 0, lanes: 0, blocked: 0 };
  // Appends what has been written.
  await client.send('{ changes { latestPosition } }');
  await vi.waitFor(async () => expect((await findEndpoint(client, nodeId)).backlog).toEqual(idle), 20_000);
}

export const newPath = (): string => randomUUID();

/** Returns the versions of an account in the order in which a receiver got them. */
export const versionsOf = (requests: Received[], accountId: string): number[] =>
  requests.filter(({ body }) => body.data.accountId === accountId).map(({ body }) => body.data.sequence);

export const rename = (client: Client, id: string, name: string): Promise<Json> =>
  mutate(client, 'updateAccount', { id, name });

/** Returns a promise and the function that resolves it. */
export function newGate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
