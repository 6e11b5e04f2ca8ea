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
import { StartupError } from '../lib/errors.ts';
import { parseArguments, usageError } from './arguments.ts';
import { type Endpoint, followChanges, readPosition } from './change-stream.ts';
import { listenUsage } from './usage.ts';

const defaultUrl = 'http://127.0.0.1:4000/graphql';

/** What signs the requests of a run. */
interface Signing {
  /** The HMAC secret (`whsec_…`) and the public key (`whpk_…`) that verify them. */
  secret: string;
  publicKey: string;
  keys: SigningKeys;
}

/** @throws StartupError if the given secret is malformed */
function createSigning(given: string | undefined): Signing {
  const { privateKey, publicKey } = newEd25519Keys();
  const secret = given ?? newHmacSecret();
  try {
    return { secret, publicKey, keys: parseSecret({ hmac: secret, ed25519: privateKey }) };
  } catch {
    throw new StartupError(
      'The secret must be whsec_ and 24 to 64 bytes in base64. Without --secret, each run makes one.',
    );
  }
}

/** @throws StartupError if the token is missing or malformed */
function checkToken(token: string | undefined): string {
  if (token === undefined || token === '') {
    throw new StartupError(
      'The token is missing. Set --token or ACCOUNTGRAPH_TOKEN to an API key with the scopes accounts:read and customers:read.',
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw new StartupError('The token must be visible ASCII characters.');
  return token;
}

/** @throws StartupError if an http request cannot be sent to the URL */
function checkUrl(option: string, url: string): string {
  const problem = checkTargetUrl(url, true);
  if (problem === undefined) return url;
  throw new StartupError(`The option ${option} ${problem}.`);
}

/** Returns what to do for a change: it sends the change once, and returns the line that says how it went. */
function createForward(target: string, { keys }: Signing, sender: Sender) {
  return async (change: WebhookChange): Promise<string> => {
    const body = webhookBody(change, 'FULL');
    const headers = signatureHeaders({ id: change.id, timestamp: new Date(), body, secrets: [keys] });
    const { status, error } = await sender.send(target, headers, body);
    const entityId = change.accountId ?? change.customerId;
    return [eventType(change), entityId, `version ${change.version}`, status ?? error].join('\t');
  };
}

interface Listener {
  endpoint: Endpoint;
  target: string;
  signing: Signing;
  /** Listen after this position; undefined: from now on. */
  after: string | undefined;
}

/** Forwards changes until the signal aborts. Prints the position of the last one that was sent. */
async function listen({ endpoint, target, signing, after }: Listener, signal: AbortSignal): Promise<void> {
  let position = await readPosition(endpoint, after, signal);
  const sender = createSender({ allowPrivateTargets: true });
  signal.addEventListener('abort', () => sender.close());
  const forward = createForward(target, signing, sender);
  console.log(`Forwarding the changes of ${endpoint.url} to ${target}.`);
  console.log(`Secret: ${signing.secret}`);
  console.log(`Public key: ${signing.publicKey}`);
  const following = followChanges(endpoint, position, {
    signal,
    onOpen: () => console.error('Connected again.'),
    onLost: (reason, delayMs) => console.error(`${reason} Connecting again in ${delayMs / 1000} s.`),
  });
  try {
    for await (const change of following) {
      const line = await forward(change);
      // The signal cuts the request.
      if (signal.aborted) break;
      console.log(line);
      position = change.position;
    }
  } finally {
    sender.close();
    console.log(`To continue from here, use --after ${position}`);
  }
}

/** `accountgraph listen`: forwards the changes of a running service to a local URL, like a webhook endpoint. */
export async function listenCommand(args: string[]): Promise<void> {
  const option = { type: 'string' } as const;
  const options = {
    'forward-to': option,
    after: option,
    url: option,
    token: option,
    secret: option,
  };
  const { positionals, values } = parseArguments(args, options, listenUsage);
  if (values['forward-to'] === undefined || positionals.length > 0) throw usageError(listenUsage);
  const given = readClientConfig();
  const listener = {
    target: checkUrl('--forward-to', values['forward-to']),
    endpoint: {
      url: checkUrl('--url', values.url ?? defaultUrl),
      token: checkToken(values.token ?? given.token),
    },
    signing: createSigning(values.secret ?? given.secret),
    after: values.after,
  };
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  await listen(listener, stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
}
