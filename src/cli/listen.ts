import { readClientConfig } from '../config.ts';
import { eventType, type WebhookChange, webhookBody } from '../delivery/payload.ts';
import { checkTargetUrl, createSender, type Sender } from '../delivery/sender.ts';
import {
  newEd25519Keys,
  newHmacSecret,
  parseSecret,
  type SigningKeys,
  signatureHeaders,
} from '../delivery/signature.ts';
import { UsageError } from '../lib/errors.ts';
import { type Endpoint, followChanges, readPosition } from './change-stream.ts';
import type { Printed } from './output.ts';

/** What signs the requests of a run. */
interface Signing {
  /** The HMAC secret (`whsec_…`) and the public key (`whpk_…`) that verify them. */
  secret: string;
  publicKey: string;
  keys: SigningKeys;
}

/** @throws UsageError if the given secret is malformed */
function createSigning(given: string | undefined): Signing {
  const { privateKey, publicKey } = newEd25519Keys();
  const secret = given ?? newHmacSecret();
  try {
    return { secret, publicKey, keys: parseSecret({ hmac: secret, ed25519: privateKey }) };
  } catch {
    throw new UsageError(
      'The secret must be whsec_ and 24 to 64 bytes in base64. Without --secret, each run makes one.',
    );
  }
}

/** @throws UsageError if the token is missing or malformed */
function checkToken(token: string | undefined): string {
  if (token === undefined || token === '') {
    throw new UsageError(
      'The token is missing. Set --token or ACCOUNTGRAPH_TOKEN to an API key with the scopes accounts:read and customers:read.',
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageError('The token must be visible ASCII characters.');
  return token;
}

/** @throws UsageError if an http request cannot be sent to the URL */
function checkUrl(option: string, url: string): string {
  const problem = checkTargetUrl(url, true);
  if (problem === undefined) return url;
  throw new UsageError(`The option ${option} ${problem}.`);
}

/** Returns what to do for a change: it sends the change once, and returns how it went. */
function createForward(target: string, { keys }: Signing, sender: Sender) {
  return async (change: WebhookChange) => {
    const body = webhookBody(change, 'FULL');
    const headers = signatureHeaders({ id: change.id, timestamp: new Date(), body, secrets: [keys] });
    const { status, error } = await sender.send(target, headers, body);
    const { version, position } = change;
    return {
      type: eventType(change),
      entityId: change.accountId ?? change.customerId,
      version,
      position,
      status,
      error,
    };
  };
}

interface Listener {
  endpoint: Endpoint;
  target: string;
  signing: Signing;
  /** Listen after this position; undefined: from now on. */
  after: string | undefined;
  json: boolean;
}

/** Returns a function that prints data as one line of JSON, or the text. */
function printLines(json: boolean) {
  return (data: object, text: string): void => console.log(json ? JSON.stringify(data) : text);
}

/** Forwards changes until the signal aborts. Prints the position of the last one that was sent. */
async function listen(
  { endpoint, target, signing, after, json }: Listener,
  signal: AbortSignal,
): Promise<void> {
  const print = printLines(json);
  let position = await readPosition(endpoint, after, signal);
  const sender = createSender({ allowPrivateTargets: true });
  signal.addEventListener('abort', () => sender.close());
  const forward = createForward(target, signing, sender);
  const { secret, publicKey } = signing;
  print(
    { url: endpoint.url, target, secret, publicKey },
    `Forwarding the changes of ${endpoint.url} to ${target}.\nSecret: ${secret}\nPublic key: ${publicKey}`,
  );
  const following = followChanges(endpoint, position, {
    signal,
    onOpen: () => console.error('Connected again.'),
    onLost: (reason, delayMs) => console.error(`${reason} Connecting again in ${delayMs / 1000} s.`),
  });
  try {
    for await (const change of following) {
      const sent = await forward(change);
      // The signal cuts the request.
      if (signal.aborted) break;
      const { type, entityId, version, status, error } = sent;
      print(sent, [type, entityId, `version ${version}`, status ?? error].join('\t'));
      position = change.position;
    }
  } finally {
    sender.close();
    print({ position }, `To continue from here, use --after ${position}`);
  }
}

type ListenOptions = Printed & {
  forwardTo: string;
  url: string;
  after?: string;
  token?: string;
  secret?: string;
};

/** `accountgraph listen`: forwards the changes of a running service to a local URL, like a webhook endpoint. */
export async function listenCommand(options: ListenOptions): Promise<void> {
  const given = readClientConfig();
  const listener = {
    target: checkUrl('--forward-to', options.forwardTo),
    endpoint: {
      url: checkUrl('--url', options.url),
      token: checkToken(options.token ?? given.token),
    },
    signing: createSigning(options.secret ?? given.secret),
    after: options.after,
    json: options.json ?? false,
  };
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  await listen(listener, stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
}
