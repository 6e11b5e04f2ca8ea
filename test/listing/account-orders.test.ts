import { describeConnection } from '../support/connection-contract.ts';
import { accountListing, orders } from '../support/entity-listings.ts';
import { useService } from '../support/service.ts';

const service = useService();

for (const order of orders) describeConnection(service, accountListing(order));
