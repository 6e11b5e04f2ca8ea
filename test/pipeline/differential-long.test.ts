import { testAgainstReference } from '../support/differential.ts';

const { DIFFERENTIAL_SEED: seed = '1' } = process.env;

// `DIFFERENTIAL_SEED` tries other documents.
testAgainstReference(5000, Number(seed));
