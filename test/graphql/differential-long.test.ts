import { testAgainstReference } from '../support/differential.ts';

testAgainstReference(5000);
