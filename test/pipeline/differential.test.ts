import { testAgainstReference } from '../support/differential.ts';

// A fixed seed, so that the test fails only if the code changes.
testAgainstReference(200, 20261129);
