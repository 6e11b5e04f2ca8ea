import { testAgainstReference } from '../support/differential.ts';

// With one seed, so that it fails only when the code has changed; `npm run test:long` takes another seed each time.
testAgainstReference(200, 20261129);
