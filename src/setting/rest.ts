import type { Ctx } from '../ctx.ts';
import { z } from '../rest/zod.ts';
import { settingsOfOwner } from './read.ts';
import { setting } from './rules.ts';

/** The most aliases or settings in a response about their owner. Existing clients reject longer lists. */
export const maxEmbedded = 10;

export const SettingOfOwner = z
  .strictObject(setting.shape)
  .describe('A typed key-value of its account or customer.')
  .openapi('EntitySetting');

/** Returns the settings of an account or customer as its response shows them. */
export async function showSettings(ctx: Ctx, type: 'ACCOUNT' | 'CUSTOMER', id: string) {
  const settings = await ctx.load(settingsOfOwner, { type, id });
  return settings.slice(0, maxEmbedded).map(({ id, namespace, name, dataType, value }) => {
    return { id, namespace, name, dataType, value };
  });
}
