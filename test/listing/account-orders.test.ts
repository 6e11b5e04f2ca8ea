import { describeConnection } from '../support/connection.ts';
import { accountListing, orders } from '../support/listings.ts';
import { useService } from '../support/service.ts';

const service = useService();

for (const order of orders) describeConnection(service, accountListing(order));
