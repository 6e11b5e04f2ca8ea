import { toTypeId, uuidOf } from '../lib/id.ts';
import type { AliasSpan } from './rules.ts';

/**
 * The id of a span of an account: made of what never changes of it, for its end does. Nobody can have another span of
 * the same value from the same instant.
 */
export function spanIdOf(account: { nodeId: string }, { value, effectiveFrom }: AliasSpan): string {
  return toTypeId('Alias', uuidOf([account.nodeId, value, effectiveFrom]));
}
