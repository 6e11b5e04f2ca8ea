import { describeConnection } from '../support/connection-contract.ts';
import { customerAccountListing, filteredListing } from '../support/entity-listings.ts';
import { useService } from '../support/service.ts';

const service = useService();

/** A filter for each way in which a filtered list finds its rows. */
const filters = [
  '{ status: [ACTIVE, ARCHIVED, DRAFT] }',
  '{ search: "name" }',
  '{ customerId: "C1", status: ACTIVE }',
];

describeConnection(service, customerAccountListing({ field: 'UPDATED_AT', direction: 'DESC' }));
for (const filter of filters)
  describeConnection(service, filteredListing({ field: 'NAME', direction: 'DESC' }, filter));
