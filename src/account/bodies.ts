import { nameExisted } from '../alias/existed.ts';
import { aliasListRules } from '../alias/rules.ts';
import { facade } from '../rest/facade.ts';
import { nameInPath } from '../rest/path.ts';
import { z } from '../rest/zod.ts';
import * as rules from './rules.ts';

const { checkSpans } = aliasListRules('accountAliases');

const { datedAliases, ...first } = rules.firstAccountInput.shape;

/** The account that a new customer begins with. The facade calls dated aliases `accountAliases`. */
export const FirstAccountBody = facade(z.object({ ...first, accountAliases: datedAliases }).check(checkSpans))
  .describe('The first account of a new customer.')
  .openapi('CreateAccountRequestWithoutCustomerId');

const { customerId } = rules.createAccountInput.shape;

export const CreateAccountBody = facade(
  z.object({ ...first, customerId, accountAliases: datedAliases }).check(checkSpans),
)
  .describe('The new account.')
  .openapi('CreateAccountRequest');

/** The same in the words of the domain. */
export function inDomainWords<T extends { accountAliases?: unknown }>({
  accountAliases,
  ...rest
}: T): Omit<T, 'accountAliases'> & { datedAliases: T['accountAliases'] } {
  return { ...rest, datedAliases: accountAliases };
}

const { id, expectedVersion: _, idempotencyKey: __, ...changes } = rules.updateAccountInput.shape;

export const UpdateAccountBody = facade(z.object(changes))
  .describe('What to change: a field that is left out stays, `null` clears it, a value sets it.')
  .openapi('UpdateAccountRequest');

export const accountPath = nameInPath('id', id, nameExisted);
