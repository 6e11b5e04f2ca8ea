import { commonFilter, statusFilter } from '../entity/list-rules.ts';
import { z } from '../lib/zod.ts';
import * as rules from './rules.ts';

export const statuses = statusFilter(Object.keys(rules.statuses) as [rules.AccountStatus]);
export const tag = rules.tag
  .transform((value) => value.toLowerCase())
  .describe('Those that have this tag, in upper or lower case.');

/** Which accounts a list holds: those that meet every condition. */
export const accountFilter = z.object({
  ...commonFilter,
  customerId: rules.id.nullish(),
  status: statuses.nullish(),
  invoiceCurrency: rules.invoiceCurrency.nullish(),
  tag: tag.nullish(),
});

export type AccountFilter = z.output<typeof accountFilter>;
