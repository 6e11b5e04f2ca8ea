import type { Ctx } from '../ctx.ts';
import { z } from '../rest/zod.ts';
import { settingsOfOwner } from './read.ts';
import { setting } from './rules.ts';

/** How many of its aliases and of its settings an answer holds at most: the clients refuse more. */
export const maxEmbedded = 10;

export const SettingOfOwner = z
  .strictObject(setting.shape)
  .describe('A typed key-value of its account or customer.')
  .openapi('EntitySetting');

/** Settings as an account or customer shows them. */
export async function showSettings(ctx: Ctx, type: 'ACCOUNT' | 'CUSTOMER', id: string) {
  const settings = await ctx.load(settingsOfOwner, { type, id });
  return settings.slice(0, maxEmbedded).map(({ id, namespace, name, dataType, value }) => {
    return { id, namespace, name, dataType, value };
  });
}
