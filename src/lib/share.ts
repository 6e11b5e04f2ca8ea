import { type CancelSignal, createCancel } from './cancel.ts';

/** So many calls of one group begin by themselves; what is asked while they run goes out together with the next. */
const maxUnderWay = 2;
/** Nobody waits longer than this for others, however slow they are. */
const patienceMs = 25;

export interface Asking<Ask> {
  ask: Ask;
  /** How much it asks for, and how much of that fits into one call. */
  size: number;
  maxSize: number;
  /** Ends the call when nobody waits for it any more. */
  signal: CancelSignal;
}

type Call<Ask, Answer> = (asks: readonly Ask[], signal: CancelSignal) => Promise<Answer>;

/**
 * Does what many requests ask for at a time in few calls: what is asked of a group in one turn of the event loop, or while
 * its calls are under way, goes out together, and each of those who asked gets the whole answer, or the failure. A call
 * begins after all that it answers was asked, so that nobody sees anything older than his request.
 */
export type Share = <Ask, Answer>(
  group: string,
  asking: Asking<Ask>,
  call: Call<Ask, Answer>,
) => Promise<Answer>;

interface Batch {
  /** Answers with what takes the ask back. */
  add(asking: Asking<unknown>): () => void;
  size(): number;
  begin(): void;
  answer: Promise<unknown>;
}

interface Group {
  underWay: number;
  next: Batch | undefined;
  forget(): void;
}

/** A batch that waits for its turn. Its call belongs, for who traces it, to the request that asked first. */
function openBatch(call: Call<unknown, unknown>): Batch {
  const asks: unknown[] = [];
  const cancel = createCancel();
  let begin = (): void => undefined;
  let hasBegun = false;
  let size = 0;
  let reason: unknown;
  const turn = new Promise<void>((resolve) => {
    begin = resolve;
  });
  return {
    add(asking) {
      asks.push(asking.ask);
      size += asking.size;
      return () => {
        // Whoever leaves before his turn asks for nothing, and leaves room for others.
        asks.splice(asks.indexOf(asking.ask), 1);
        size -= asking.size;
        reason = asking.signal.reason;
        if (hasBegun && asks.length === 0) cancel.abort(reason);
      };
    },
    size: () => size,
    begin,
    answer: turn.then(() => {
      hasBegun = true;
      if (asks.length === 0) throw reason;
      return call([...asks], cancel.signal);
    }),
  };
}

async function track<Answer>(group: Group, answer: Promise<Answer>): Promise<Answer> {
  group.underWay += 1;
  try {
    return await answer;
  } finally {
    group.underWay -= 1;
    if (group.next !== undefined) sendSoon(group, group.next);
    else if (group.underWay === 0) group.forget();
  }
}

function send(group: Group, batch: Batch): void {
  if (group.next !== batch) return;
  group.next = undefined;
  batch.begin();
  // Those who asked hear of a failure.
  track(group, batch.answer).catch(() => undefined);
}

/** At the end of the turn, for requests come in bursts: sent at once, creations and look-ups take 10 to 13 % more CPU. */
function sendSoon(group: Group, batch: Batch): void {
  setImmediate(() => send(group, batch));
}

/** The batch that what is asked next goes out with. */
function nextBatch<Ask, Answer>(
  group: Group,
  { size, maxSize }: Asking<Ask>,
  call: Call<Ask, Answer>,
): Batch {
  if (group.next !== undefined && group.next.size() + size > maxSize) send(group, group.next);
  if (group.next === undefined) {
    const batch = openBatch(call as Call<unknown, unknown>);
    group.next = batch;
    if (group.underWay < maxUnderWay) sendSoon(group, batch);
    else setTimeout(() => send(group, batch), patienceMs).unref();
  }
  return group.next;
}

export function createShare(): Share {
  const groups = new Map<string, Group>();
  return async (name, asking, call) => {
    const forget = () => groups.delete(name);
    const group = groups.get(name) ?? { underWay: 0, next: undefined, forget };
    groups.set(name, group);
    const batch = nextBatch(group, asking, call);
    const leave = batch.add(asking);
    asking.signal.addEventListener('abort', leave);
    const answer = await batch.answer.finally(() => asking.signal.removeEventListener('abort', leave));
    // For one who left, there may be nothing in it.
    asking.signal.throwIfAborted();
    return answer as Awaited<ReturnType<typeof call>>;
  };
}
