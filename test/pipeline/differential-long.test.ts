import { testAgainstReference } from '../support/differential.ts';

const { DIFFERENTIAL_SEED: seed = '1' } = process.env;

// Set `DIFFERENTIAL_SEED` to test other documents.
testAgainstReference(5000, Number(seed));
