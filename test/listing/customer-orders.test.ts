import { describeConnection } from '../support/connection-contract.ts';
import { customerListing, orders } from '../support/entity-listings.ts';
import { useService } from '../support/service.ts';

const service = useService();

// Accounts and customers share the code of the orders, so one direction of each field is enough.
for (const order of orders.filter(({ direction }) => direction === 'DESC'))
  describeConnection(service, customerListing(order));
