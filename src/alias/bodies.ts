import { report } from '../lib/rule.ts';
import { facade } from '../rest/facade.ts';
import { z } from '../rest/zod.ts';
import * as rules from './rules.ts';

const { checkSpans, checkSome } = rules.aliasListRules('accountAliases');
const { aliases, datedAliases } = rules.addAliasesInput.shape;

export const AddAliasesBody = facade(
  z
    .object({
      aliases,
      accountAliases: datedAliases,
    })
    .check(checkSpans)
    .check(checkSome),
)
  .describe('Further aliases, at least one.')
  .openapi('AddAccountAliasesRequest');

const { aliases: names, spans } = rules.removeSpansInput.shape;

export const RemoveAliasesBody = facade(
  z
    .object({
      aliases: names.describe('The values of aliases, or their ids, to end now.'),
      accountAliases: spans.describe('Single aliases to end at an instant, by their ids.'),
    })
    .check((payload) => {
      const { aliases, accountAliases } = payload.value;
      if ((aliases?.length ?? 0) + (accountAliases?.length ?? 0) > 0) return;
      report(payload, 'REQUIRED', 'must hold at least one value, here or in accountAliases', ['aliases']);
    }),
)
  .describe('Aliases to end, at least one.')
  .openapi('RemoveAccountAliasesRequest');
