/** Signals that nobody waits for a result any more. An AbortSignal satisfies this interface. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface Cancel {
  signal: CancelSignal;
  abort(reason: unknown): void;
}

/** Creates a minimal AbortController. That of the platform allocates an EventTarget for each signal, which is slow. */
export function createCancel(): Cancel {
  let listeners: (() => void)[] = [];
  const signal = {
    aborted: false,
    reason: undefined as unknown,
    throwIfAborted() {
      if (signal.aborted) throw signal.reason;
    },
    addEventListener(_: 'abort', listener: () => void) {
      listeners.push(listener);
    },
    removeEventListener(_: 'abort', listener: () => void) {
      const place = listeners.indexOf(listener);
      if (place >= 0) listeners.splice(place, 1);
    },
  };
  return {
    signal,
    abort(reason) {
      if (signal.aborted) return;
      Object.assign(signal, { aborted: true, reason });
      const notified = listeners;
      listeners = [];
      for (const listener of notified) listener();
    },
  };
}
