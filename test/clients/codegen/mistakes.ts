import { ask } from '../ask.ts';
import { accounts, createAccount } from './accounts.ts';

const service = { url: '', token: '' };

const { accounts: page } = await ask(service, accounts, { first: 1 });
export const notThere = page.nodes[0]?.nmae;
export const notSelected = page.nodes[0]?.version;

const { createAccount: answer } = await ask(service, createAccount, {
  input: { id: 'A1', name: 'An Account', customer: 'C1234qwd', customerId: 'C1234qwd' },
});
export const notNarrowed = answer.account;
if (answer.__typename === 'CreateAccountSuccess') {
  const instant: Date = answer.account.createdAt;
  const size: number = answer.account.metadata.size;
  const status: 'CLOSED' = answer.account.status;
  console.log(instant, size, status);
}
