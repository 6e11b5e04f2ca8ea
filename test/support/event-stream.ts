import type { Client, Json } from './service.ts';

export interface StreamEvent {
  event: string;
  data: Json;
  /** The position of the change; undefined for an error and at the end. */
  id: string | undefined;
}

export interface Stream {
  status: number;
  headers: Headers;
  /** Returns the next event, without comments; `undefined` at the end of the response. */
  next(): Promise<StreamEvent | undefined>;
  /** Returns the data of this many `next` events. */
  take(count: number): Promise<Json[]>;
  /** Closes the connection. */
  leave(): void;
}

function parse(block: string): StreamEvent | undefined {
  const fields = new Map(
    block
      .split('\n')
      .map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
  const event = fields.get('event')?.trim();
  if (event === undefined) return undefined;
  const data = fields.get('data')?.trim() ?? '';
  return { event, id: fields.get('id')?.trim(), data: data === '' ? undefined : JSON.parse(data) };
}

/** Yields the events of the distinct connections mode of graphql-sse. */
async function* eventsOf(chunks: AsyncIterable<Uint8Array>) {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = parse(block);
      if (event !== undefined) yield event;
    }
  }
}

/** Opens an event stream and returns when the response begins. */
export async function openStream(
  url: string,
  { token }: Pick<Client, 'token'>,
  query: string,
  variables: object = {},
  headers: Record<string, string> = {},
): Promise<Stream> {
  const abort = new AbortController();
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
    signal: abort.signal,
  });
  if (response.body === null) throw new Error('The response has no body.');
  // Reads at once, because fetch cancels an unread body when the response is garbage-collected.
  const events = eventsOf(response.body.values());
  const stream: Stream = {
    status: response.status,
    headers: response.headers,
    next: async () => (await events.next()).value ?? undefined,
    async take(count) {
      const taken: Json[] = [];
      while (taken.length < count) {
        const event = await stream.next();
        if (event?.event !== 'next') throw new Error(`${stream.status}, ${JSON.stringify(event)}`);
        taken.push(event.data);
      }
      return taken;
    },
    leave: () => abort.abort(),
  };
  return stream;
}
