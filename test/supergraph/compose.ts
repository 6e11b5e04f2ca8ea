import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { composeServices } from '@theguild/federation-composition';
import { parse } from 'graphql';
import { readBillingSdl } from './billing/server.ts';

export interface Subgraph {
  name: string;
  url: string;
  sdl: string;
}

const accountsSdl = join(import.meta.dirname, '..', '..', 'src', 'schema.graphql');

/** Returns both subgraphs for the composition. */
export async function subgraphsAt(urls: { accounts: string; billing: string }): Promise<Subgraph[]> {
  return [
    { name: 'accounts', url: urls.accounts, sdl: await readFile(accountsSdl, 'utf8') },
    { name: 'billing', url: urls.billing, sdl: await readBillingSdl() },
  ];
}

/** Returns the schema of the supergraph with the URLs of its subgraphs. */
export function compose(subgraphs: readonly Subgraph[]): string {
  const services = subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) }));
  const { supergraphSdl, errors } = composeServices(services);
  if (supergraphSdl === undefined) throw new Error(errors?.map(({ message }) => message).join('\n'));
  return supergraphSdl;
}
