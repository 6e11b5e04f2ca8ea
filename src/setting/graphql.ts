import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { SettingDataType } from './inputs.ts';
import * as rules from './rules.ts';
import type { SettingRow } from './table.ts';

export const Setting = builder.objectRef<SettingRow>('Setting').implement({
  description:
    'A typed key-value of an account or customer. Its owner has at most one with this namespace and id.',
  fields: (t) => ({
    id: t.exposeID('id', { description: describeRule(rules.id) }),
    namespace: t.exposeString('namespace', { description: describeRule(rules.namespace) }),
    name: t.exposeString('name', { description: describeRule(rules.name) }),
    dataType: t.expose('dataType', { type: SettingDataType, description: describeRule(rules.dataType) }),
    value: t.exposeString('value', { description: describeRule(rules.value) }),
  }),
});
