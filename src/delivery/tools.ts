import type { KeyObject } from 'node:crypto';
import { createSecretBox } from './secret.ts';
import { checkTargetUrl, createSender } from './sender.ts';

export interface WebhookToolsOptions {
  /** Keys that encrypt secrets: the first key encrypts, all keys decrypt. Empty: there are no webhooks. */
  keys: readonly KeyObject[];
  /** Whether endpoints can have http URLs and private addresses. */
  allowPrivateTargets: boolean;
  /** The timeout of the operation that tests an endpoint. */
  operationTimeoutMs: number;
}

const maxTestMs = 8000;

/** Returns what requests and the deliverer need for webhooks; undefined without keys. */
export function createWebhookTools({ keys, allowPrivateTargets, operationTimeoutMs }: WebhookToolsOptions) {
  if (keys.length === 0) return undefined;
  const { seal, open } = createSecretBox(keys);
  // A test must end before its operation does.
  const timeoutMs = Math.min(maxTestMs, Math.round(operationTimeoutMs * 0.8));
  const tests = createSender({ allowPrivateTargets, timeoutMs });
  const problemOf = (url: string) => checkTargetUrl(url, allowPrivateTargets);
  return {
    forRequests: { seal, open, problemOf, send: tests.send },
    forDelivery: { open, ...createSender({ allowPrivateTargets }) },
    closeTests: tests.close,
  };
}
