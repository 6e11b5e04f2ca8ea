import { describeConnection } from '../support/connection-contract.ts';
import { recordListings } from '../support/history-listings.ts';
import { useService } from '../support/service.ts';

const service = useService();

for (const listing of recordListings) describeConnection(service, listing);
