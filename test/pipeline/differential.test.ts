import { testAgainstReference } from '../support/differential.ts';

// With one seed, so that it fails only when the code has changed.
testAgainstReference(200, 20261129);
