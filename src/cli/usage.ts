export const tenantsUsage = `accountgraph tenants create <name> [--currency USD] [--net-term-days 30]
accountgraph tenants list`;

export const keysUsage = `accountgraph keys create --tenant <tenant> --name <name> [--scopes accounts:read,customers:read] [--expires 90d]
accountgraph keys list --tenant <tenant>
accountgraph keys revoke <key id>`;

export const listenUsage = `accountgraph listen --forward-to <url> [--after <position>] [--url http://127.0.0.1:4000/graphql] [--token <token>] [--secret whsec_…]`;

export const usage = `accountgraph [serve]
accountgraph migrate
${tenantsUsage}
${keysUsage}
${listenUsage}
accountgraph schema`;
