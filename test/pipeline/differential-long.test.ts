import { testAgainstReference } from '../support/differential.ts';

const { DIFFERENTIAL_SEED: seed = '1', DIFFERENTIAL_DOCUMENTS: count = '2000' } = process.env;

// Set `DIFFERENTIAL_SEED` to test other documents, and `DIFFERENTIAL_DOCUMENTS` to test more.
testAgainstReference(Number(count), Number(seed));
