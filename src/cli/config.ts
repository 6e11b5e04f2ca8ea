import { describeConfig } from '../config/describe.ts';
import { readConfig } from '../config.ts';
import { type Printed, printRows } from './output.ts';

/** `accountgraph config`: prints the configuration in force, without secrets. */
export function configCommand(options: Printed): void {
  // Throws if variables contradict each other.
  readConfig();
  printRows(
    describeConfig(),
    {
      Variable: ({ name }) => name,
      Value: ({ value }) => value ?? 'unset',
      Source: ({ source }) => source,
    },
    options,
  );
}
