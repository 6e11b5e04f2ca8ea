import { describeConnection } from '../support/connection.ts';
import { recordListings } from '../support/records.ts';
import { useService } from '../support/service.ts';

const service = useService();

for (const listing of recordListings) describeConnection(service, listing);
