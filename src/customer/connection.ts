import { orderDescription } from '../entity/inputs.ts';
import { builder } from '../graphql/builder.ts';
import { toConnection } from '../graphql/connection.ts';
import { customerFilter } from './filters.ts';
import { Customer } from './graphql.ts';
import { customerPage } from './list.ts';
import { CustomerFilter, CustomerOrder } from './list-inputs.ts';

builder.queryField('customers', (t) =>
  t.connection(
    {
      authScopes: { scope: 'customers:read' },
      type: Customer,
      description: 'The customers of the tenant, archived ones left out unless the filter asks for them.',
      args: {
        filter: t.arg({
          type: CustomerFilter,
          validate: { schema: customerFilter },
          description: 'Without it, all of them.',
        }),
        orderBy: t.arg({ type: CustomerOrder, description: orderDescription }),
      },
      resolve: async (_, { filter, orderBy, ...page }, ctx) =>
        toConnection(await customerPage(ctx, page, filter, orderBy)),
    },
    {
      name: 'CustomerConnection',
      description: 'A page of customers.',
      authScopes: { scope: 'customers:read' },
    },
    { name: 'CustomerEdge', description: 'A customer in a list.' },
  ),
);
