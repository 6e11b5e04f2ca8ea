import type { UpdateAccountInput } from '../account/rules.ts';
import type { AccountRow } from '../account/table.ts';
import { updateAccount } from '../account/write.ts';
import { addAliases } from '../account-aliases/write.ts';
import { type AliasSpan, maxAliasesPerCall, spansOf } from '../alias/rules.ts';
import type { Ctx } from '../ctx.ts';
import type { UpdateCustomerInput } from '../customer/rules.ts';
import type { CustomerRow } from '../customer/table.ts';
import { updateCustomer } from '../customer/write.ts';
import { InvalidInputError } from '../lib/errors.ts';
import { putSettings } from '../owner-settings/write.ts';
import type { Plan } from './plan.ts';
import { spansOfAccount } from './read.ts';

export type Existing = AccountRow | CustomerRow;

/** Returns whether a span of the account makes another one unnecessary: it is equal, or is in force without an end. */
function covers(held: AliasSpan, wanted: AliasSpan): boolean {
  if (held.value !== wanted.value) return false;
  const isPlain = wanted.effectiveFrom === null && wanted.effectiveUntil === null;
  if (isPlain) return held.effectiveUntil === null;
  return (
    held.effectiveFrom?.getTime() === wanted.effectiveFrom?.getTime() &&
    held.effectiveUntil?.getTime() === wanted.effectiveUntil?.getTime()
  );
}

/** Adds the aliases of a plan that the account lacks. */
async function addMissingAliases(ctx: Ctx, accountId: string, wanted: AliasSpan[]): Promise<void> {
  if (wanted.length === 0) return;
  const held = await ctx.run(spansOfAccount, { accountId });
  const missing = wanted.filter((span) => !held.some((one) => covers(one, span)));
  for (let start = 0; start < missing.length; start += maxAliasesPerCall) {
    const datedAliases = missing.slice(start, start + maxAliasesPerCall);
    await addAliases(ctx, { accountId, datedAliases });
  }
}

/** Changes an existing customer or account so that it has the fields, aliases and settings of a plan. */
export async function update(ctx: Ctx, plan: Plan, existing: Existing): Promise<void> {
  const { settings, ...fields } = plan.create;
  const owner = plan.type === 'account' ? { accountId: fields.id } : { customerId: fields.id };
  if (plan.type === 'customer') {
    await updateCustomer(ctx, fields as UpdateCustomerInput);
  } else {
    const { customerId } = plan.create;
    const held = (existing as AccountRow).customerId;
    if (customerId !== held) {
      const message = `is ${JSON.stringify(customerId)}, but the account belongs to ${JSON.stringify(held)}, and an account keeps its customer`;
      throw new InvalidInputError([{ path: ['customerId'], code: 'INVALID_VALUE', message }]);
    }
    await updateAccount(ctx, fields as UpdateAccountInput);
    const calls = [plan.create, ...plan.moreAliases];
    await addMissingAliases(ctx, fields.id, calls.flatMap(spansOf));
  }
  const all = [...(settings ?? []), ...plan.moreSettings.flatMap((more) => more.settings)];
  if (all.length > 0) await putSettings(ctx, { ...owner, settings: all });
}
