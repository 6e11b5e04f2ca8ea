/** So many loads of one group run at a time; what is asked meanwhile goes out together with the next. */
const maxUnderWay = 2;
/** Nobody waits longer than this for others, however slow they are. */
const patienceMs = 25;
/** A batch that asks for more than this goes out at once. */
const maxBatchSize = 500;

export interface Asking<Ask> {
  ask: Ask;
  /** How much it asks for. */
  size: number;
  /** Ends the load when nobody waits for it any more. */
  signal: AbortSignal;
}

type Load<Ask, Answer> = (asks: readonly Ask[], signal: AbortSignal) => Promise<Answer>;

/**
 * Loads what many requests ask for at a time in few calls: what is asked of a group while its loads are under way goes out
 * together, and each of those who asked gets the whole answer. A load begins after all that it answers was asked, so that
 * nobody sees anything older than his request.
 */
export type Share = <Ask, Answer>(
  group: string,
  asking: Asking<Ask>,
  load: Load<Ask, Answer>,
) => Promise<Answer>;

interface Batch {
  join(asking: Asking<unknown>): void;
  size: number;
  begin(): void;
  answer: Promise<unknown>;
}

interface Group {
  underWay: number;
  next: Batch | undefined;
}

/** A batch that waits for its turn. Its load belongs, for who traces it, to the request that asked first. */
function openBatch(load: Load<unknown, unknown>): Batch {
  const asks: unknown[] = [];
  const cancel = new AbortController();
  let begin = (): void => undefined;
  let waiting = 0;
  const turn = new Promise<void>((resolve) => {
    begin = resolve;
  });
  return {
    join(asking) {
      asks.push(asking.ask);
      this.size += asking.size;
      waiting += 1;
      asking.signal.addEventListener('abort', () => {
        waiting -= 1;
        if (waiting === 0) cancel.abort(asking.signal.reason);
      });
    },
    size: 0,
    begin,
    answer: turn.then(() => load(asks, cancel.signal)),
  };
}

export function createShare(): Share {
  const groups = new Map<string, Group>();

  async function track<Answer>(name: string, group: Group, answer: Promise<Answer>): Promise<Answer> {
    group.underWay += 1;
    try {
      return await answer;
    } finally {
      group.underWay -= 1;
      if (group.next !== undefined) send(name, group, group.next);
      else if (group.underWay === 0) groups.delete(name);
    }
  }
  function send(name: string, group: Group, batch: Batch): void {
    if (group.next !== batch) return;
    group.next = undefined;
    batch.begin();
    // Those who asked hear of a failure.
    track(name, group, batch.answer).catch(() => undefined);
  }
  return async (name, asking, load) => {
    const group = groups.get(name) ?? { underWay: 0, next: undefined };
    groups.set(name, group);
    if (group.underWay < maxUnderWay) return track(name, group, load([asking.ask], asking.signal));
    if (group.next === undefined) {
      const batch = openBatch(load as Load<unknown, unknown>);
      group.next = batch;
      setTimeout(() => send(name, group, batch), patienceMs).unref();
    }
    const { next } = group;
    next.join(asking);
    if (next.size >= maxBatchSize) send(name, group, next);
    return next.answer as ReturnType<typeof load>;
  };
}
