import { commonFilter, statusFilter } from '../entity/list-rules.ts';
import { z } from '../lib/zod.ts';
import * as rules from './rules.ts';

export const statuses = statusFilter(Object.keys(rules.statuses) as [rules.CustomerStatus]);

/** Which customers a list holds: those that meet every condition. */
export const customerFilter = z.object({ ...commonFilter, status: statuses.nullish() });

export type CustomerFilter = z.output<typeof customerFilter>;
