import { type CancelSignal, createCancel } from './cancel.ts';

/** The longest wait for a running batch, in milliseconds. */
const maxWaitMs = 25;

export interface BatchRequest<Item> {
  item: Item;
  /** The size of the item, and the maximum size of a batch, in the same unit. */
  size: number;
  maxSize: number;
  /** Removes the request from its batch. The batch is cancelled when it has no requests left. */
  signal: CancelSignal;
}

type RunBatch<Item, Result> = (items: readonly Item[], signal: CancelSignal) => Promise<Result>;

/**
 * Runs the concurrent requests of a group in few batches. Each request gets the whole result of its batch, or its error.
 * A batch starts after all its requests, so that none of them reads data older than itself.
 */
export type RequestBatcher = <Item, Result>(
  group: string,
  request: BatchRequest<Item>,
  run: RunBatch<Item, Result>,
) => Promise<Result>;

/** A batch that collects requests until it is sent. */
interface Batch {
  /** Adds a request. Returns a function that removes it. */
  add(request: BatchRequest<unknown>): () => void;
  size(): number;
  send(): void;
  result: Promise<unknown>;
}

interface Group {
  /** The number of running batches. */
  running: number;
  /** The batch that collects requests. */
  pending: Batch | undefined;
  dispose(): void;
}

/**
 * Opens a batch. Its work belongs, in traces, to its first request. `onEnd` runs before the result is delivered, so that
 * the next batch is already on its way.
 */
function openBatch(run: RunBatch<unknown, unknown>, onEnd: () => void): Batch {
  const items: unknown[] = [];
  const cancel = createCancel();
  let send = (): void => undefined;
  let isSent = false;
  let size = 0;
  let reason: unknown;
  const sent = new Promise<void>((resolve) => {
    send = resolve;
  });
  async function runWhenSent(): Promise<unknown> {
    await sent;
    isSent = true;
    try {
      if (items.length === 0) throw reason;
      return await run([...items], cancel.signal);
    } finally {
      onEnd();
      await new Promise<void>((resolve) => process.nextTick(resolve));
    }
  }
  return {
    add(request) {
      items.push(request.item);
      size += request.size;
      return () => {
        items.splice(items.indexOf(request.item), 1);
        size -= request.size;
        reason = request.signal.reason;
        if (isSent && items.length === 0) cancel.abort(reason);
      };
    },
    size: () => size,
    send,
    result: runWhenSent(),
  };
}

function sendBatch(group: Group, batch: Batch): void {
  if (group.pending !== batch) return;
  group.pending = undefined;
  group.running += 1;
  batch.send();
}

/** Sends the pending batch at the end of the turn in which another one ended: clients that get their responses send more. */
function sendAfterBatch(group: Group): void {
  group.running -= 1;
  setImmediate(() => {
    const { pending, running, dispose } = group;
    if (pending !== undefined) sendBatch(group, pending);
    else if (running === 0) dispose();
  });
}

/** Returns the batch that the next request joins. */
function pendingBatch<Item, Result>(
  group: Group,
  { size, maxSize }: BatchRequest<Item>,
  run: RunBatch<Item, Result>,
  maxRunning: number,
): Batch {
  if (group.pending !== undefined && group.pending.size() + size > maxSize) sendBatch(group, group.pending);
  if (group.pending === undefined) {
    const batch = openBatch(run as RunBatch<unknown, unknown>, () => sendAfterBatch(group));
    group.pending = batch;
    // Sent at the end of the turn, because requests come in bursts.
    if (group.running < maxRunning) setImmediate(() => sendBatch(group, batch));
    else setTimeout(() => sendBatch(group, batch), maxWaitMs).unref();
  }
  return group.pending;
}

/**
 * Creates a batcher.
 * @param maxRunning the number of running batches of a group from which further requests wait for one to end, at most
 *   `maxWaitMs`
 */
export function createRequestBatcher(maxRunning = 1): RequestBatcher {
  const groups = new Map<string, Group>();
  function openGroup(name: string): Group {
    const dispose = () => {
      if (groups.get(name) === group) groups.delete(name);
    };
    const group: Group = { running: 0, pending: undefined, dispose };
    groups.set(name, group);
    return group;
  }
  return async (name, request, run) => {
    const group = groups.get(name) ?? openGroup(name);
    const batch = pendingBatch(group, request, run, maxRunning);
    const remove = batch.add(request);
    request.signal.addEventListener('abort', remove);
    const result = await batch.result.finally(() => request.signal.removeEventListener('abort', remove));
    // The result need not cover a request that was removed.
    request.signal.throwIfAborted();
    return result as Awaited<ReturnType<typeof run>>;
  };
}
