import { type CreateAccountInput, createAccountInput } from '../account/rules.ts';
import { type AddAliasesInput, addAliasesInput, maxAliasesPerCall, spansOf } from '../alias/rules.ts';
import { type CreateCustomerInput, createCustomerInput } from '../customer/rules.ts';
import type { ImportRecord } from '../import-formats/record.ts';
import { InvalidInputError, type Issue } from '../lib/errors.ts';
import { issuesOf } from '../lib/wording.ts';
import type { z } from '../lib/zod.ts';
import { maxSettingsPerCall, type PutSettingsInput, putSettingsInput } from '../setting/rules.ts';

interface CustomerPlan {
  type: 'customer';
  create: CreateCustomerInput;
  /** The settings that a creation has no room for. */
  moreSettings: PutSettingsInput[];
  names: string[];
}

interface AccountPlan {
  type: 'account';
  create: CreateAccountInput;
  /** The aliases that a creation has no room for. */
  moreAliases: AddAliasesInput[];
  /** The settings that a creation has no room for. */
  moreSettings: PutSettingsInput[];
  names: string[];
}

/**
 * The inputs that write a record, each within the limits of one call. `names` are the id and the aliases: two plans
 * with a common name must run one after another.
 */
export type Plan = CustomerPlan | AccountPlan;

/** Parses one of the inputs. `offsets` says how many elements of its lists other inputs have taken. */
function parsed<T>(rule: z.ZodType<T>, input: object, offsets: Record<string, number> = {}): T {
  const result = rule.safeParse(input);
  if (result.success) return result.data;
  const inRecord = ({ path, ...issue }: Issue): Issue => {
    const [list = '', index, ...rest] = path;
    const offset = offsets[list];
    if (offset === undefined || index === undefined) return { path, ...issue };
    return { path: [list, String(Number(index) + offset), ...rest], ...issue };
  };
  throw new InvalidInputError(issuesOf(result.error).map(inRecord));
}

/** Returns the elements of a list, or none if it is no list: then the rule of the creation refuses it. */
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** Returns the list of a creation, which has room for `room` elements. Any other value stays for its rule to refuse. */
const first = (value: unknown, room: number): unknown =>
  Array.isArray(value) ? value.slice(0, room) : value;

function planAliases(accountId: string, input: Record<string, unknown>): AddAliasesInput[] {
  const lists = ['aliases', 'datedAliases'].map((list) => ({ list, values: listOf(input[list]) }));
  let room = maxAliasesPerCall;
  return lists.flatMap(({ list, values }) => {
    const taken = Math.min(room, values.length);
    room -= taken;
    const starts = [];
    for (let start = taken; start < values.length; start += maxAliasesPerCall) starts.push(start);
    return starts.map((start) => {
      const part = values.slice(start, start + maxAliasesPerCall);
      return parsed(addAliasesInput, { accountId, [list]: part }, { [list]: start });
    });
  });
}

function planSettings(owner: object, settings: unknown): PutSettingsInput[] {
  if (listOf(settings).length <= maxSettingsPerCall) return [];
  const all = parsed(putSettingsInput, { ...owner, settings });
  return [{ ...all, settings: all.settings.slice(maxSettingsPerCall) }];
}

/** Returns the inputs that write a record. Throws InvalidInputError, with the paths of the record. */
export function planOf({ type, input }: ImportRecord): Plan {
  const settings = first(input.settings, maxSettingsPerCall);
  if (type === 'customer') {
    const create = parsed(createCustomerInput, { ...input, settings });
    const moreSettings = planSettings({ customerId: create.id }, input.settings);
    return { type, create, moreSettings, names: [create.id] };
  }
  const aliases = first(input.aliases, maxAliasesPerCall);
  const room = maxAliasesPerCall - listOf(aliases).length;
  const datedAliases = first(input.datedAliases, room);
  const create = parsed(createAccountInput, { ...input, settings, aliases, datedAliases });
  const moreAliases = planAliases(create.id, input);
  const names = [create, ...moreAliases].flatMap((call) => spansOf(call).map(({ value }) => value));
  return {
    type,
    create,
    moreAliases,
    moreSettings: planSettings({ accountId: create.id }, input.settings),
    names: [create.id, ...names],
  };
}

/**
 * Divides plans into layers, so that no two plans of a layer have a common name. A later layer may depend on those
 * before it: an alias that has ended can become another account's id.
 */
export function layersOf(plans: readonly Plan[]): Plan[][] {
  const lastLayer = new Map<string, number>();
  const layers: Plan[][] = [];
  for (const plan of plans) {
    const layer = Math.max(...plan.names.map((name) => (lastLayer.get(name) ?? -1) + 1));
    for (const name of plan.names) lastLayer.set(name, layer);
    layers[layer] = [...(layers[layer] ?? []), plan];
  }
  return layers;
}
