import { Environment, Network, RecordSource, Store } from 'relay-runtime';

export function createEnvironment({ url, token }: { url: string; token: string }): Environment {
  const network = Network.create(async ({ text }, variables) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: text, variables }),
    });
    return response.json();
  });
  return new Environment({
    network,
    store: new Store(new RecordSource()),
    // By default, relay-runtime uses `id`, which is not unique across types.
    getDataID: ({ nodeId }) => nodeId,
  });
}
