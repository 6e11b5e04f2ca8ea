import { SingleBar } from 'cli-progress';

/** How far a long command is. */
export interface Step {
  /** In the same unit as `total`, such as bytes. */
  done: number;
  total: number;
  /** The number of records. */
  records: number;
  /** Added to the line, such as `3 refused`. */
  note: string;
}

const lineIntervalMs = 10_000;

/** Returns, for example, `2 min 5 s`. */
function durationOf(seconds: number): string {
  const rounded = Math.round(seconds);
  return rounded < 60 ? `${rounded} s` : `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
}

/** Prints progress on standard error: a bar on a terminal, otherwise a line every 10 seconds. */
export function createProgress() {
  const startedAt = performance.now();
  let first: Step | undefined;
  let printedAt = startedAt;
  let bar: SingleBar | undefined;

  /** Returns the rate and the time left. A resumed import begins with a step that it has not made itself. */
  function rateOf({ done, total, records }: Step) {
    const seconds = Math.max(0.001, (performance.now() - startedAt) / 1000);
    const [ownDone, ownRecords] = [done - (first?.done ?? 0), records - (first?.records ?? 0)];
    const left = ownDone > 0 ? durationOf(((total - done) * seconds) / ownDone) : 'unknown time';
    return { rate: Math.round(ownRecords / seconds), left };
  }
  function showBar(step: Step): void {
    const payload = { records: step.records, note: step.note, ...rateOf(step) };
    if (bar !== undefined) {
      bar.update(step.done, payload);
      return;
    }
    const format = '{bar} {percentage} % | {records} records, {rate}/s, {left} left{note}';
    bar = new SingleBar({ format, stream: process.stderr, barsize: 20, etaBuffer: 1, hideCursor: true });
    bar.start(step.total, step.done, payload);
  }
  function showLine(step: Step): void {
    if (performance.now() - printedAt < lineIntervalMs) return;
    printedAt = performance.now();
    const { rate, left } = rateOf(step);
    const percentage = Math.floor((100 * step.done) / Math.max(1, step.total));
    console.error(`${percentage} %: ${step.records} records, ${rate}/s, ${left} left${step.note}`);
  }
  return {
    show(step: Step): void {
      first ??= step;
      if (process.stderr.isTTY) showBar(step);
      else showLine(step);
    },
    stop: () => bar?.stop(),
  };
}
