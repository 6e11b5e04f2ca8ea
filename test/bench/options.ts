import { parseArgs } from 'node:util';
import type { Timing } from './bench.ts';

export interface Options {
  isQuick: boolean;
  /** The parts to run; undefined for all. */
  only: string[] | undefined;
  against: string | undefined;
  json: string | undefined;
  connections: number[];
  /** Whether docs/performance.md gets the results. */
  isPublished: boolean;
  timing: Timing;
}

export const fullTiming: Timing = {
  rounds: 3,
  seconds: 0.5,
  warmUpSeconds: 1,
  steadySeconds: 10,
  coldSeconds: 30,
};
const quickTiming: Timing = {
  rounds: 1,
  seconds: 0.3,
  warmUpSeconds: 0.3,
  steadySeconds: 1.5,
  coldSeconds: 2,
};

/** Reads the command line. @throws for unknown options. */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      against: { type: 'string' },
      json: { type: 'string' },
      connections: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  const { quick, only, against, connections } = values;
  return {
    ...{ isQuick: quick, only: only?.split(','), against, json: values.json },
    connections: (connections ?? (quick ? '1,32' : '1,2,4,8,32')).split(',').map(Number),
    isPublished: values.write || (!quick && only === undefined && against === undefined),
    timing: quick ? quickTiming : fullTiming,
  };
}
