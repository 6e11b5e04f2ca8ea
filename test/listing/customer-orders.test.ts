import { describeConnection } from '../support/connection-contract.ts';
import { customerListing, orders } from '../support/entity-listings.ts';
import { useService } from '../support/service.ts';

const service = useService();

// The orders of accounts and of customers are made in one place: each field once is enough here.
for (const order of orders.filter(({ direction }) => direction === 'DESC'))
  describeConnection(service, customerListing(order));
