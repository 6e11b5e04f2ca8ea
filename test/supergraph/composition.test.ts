import * as apollo from '@apollo/composition';
import * as guild from '@theguild/federation-composition';
import * as wundergraph from '@wundergraph/composition';
import { parse } from 'graphql';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Subgraph, subgraphsAt } from './compose.ts';

/** The errors and the warnings or hints of the composers. */
interface Verdict {
  errors: string[];
  hints: string[];
}

const messages = (list: readonly { message: string }[] = []) => list.map(({ message }) => message);
const services = (subgraphs: Subgraph[]) =>
  subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) }));

const composers: Record<string, (subgraphs: Subgraph[]) => Verdict> = {
  '@theguild/federation-composition': (subgraphs) => {
    const { errors } = guild.composeServices(services(subgraphs));
    return { errors: messages(errors), hints: [] };
  },
  '@apollo/composition': (subgraphs) => {
    const { errors, hints } = apollo.composeServices(services(subgraphs));
    return { errors: messages(errors), hints: messages(hints) };
  },
  '@wundergraph/composition': (subgraphs) => {
    const definitions = services(subgraphs).map(({ typeDefs, ...rest }) => ({
      ...rest,
      definitions: typeDefs,
    }));
    const result = wundergraph.federateSubgraphs({ subgraphs: definitions });
    return { errors: result.success ? [] : messages(result.errors), hints: messages(result.warnings) };
  },
};

let subgraphs: Subgraph[];

beforeAll(async () => {
  subgraphs = await subgraphsAt({ accounts: 'http://accounts/graphql', billing: 'http://billing/graphql' });
});

describe.each(Object.entries(composers))('%s', (_, verdictOf) => {
  it('composes accounts, alone and with billing, without errors, warnings and hints', () => {
    expect(verdictOf(subgraphs)).toEqual({ errors: [], hints: [] });
    for (const subgraph of subgraphs.slice(0, 1))
      expect(verdictOf([subgraph])).toEqual({ errors: [], hints: [] });
  });

  it.each([
    ['PageInfo is not shareable', ' @shareable {', ' {'],
    ['a type takes a name of the accounts', 'TooSmallError', 'InvalidInputError'],
    ['an alias is of another type', 'alias: String!\n  effectiveOn', 'alias: Int!\n  effectiveOn'],
  ])('rejects a billing subgraph in which %s', (_, from, to) => {
    const broken = subgraphs.map((one) =>
      one.name === 'billing' ? { ...one, sdl: one.sdl.replaceAll(from, to) } : one,
    );
    expect(verdictOf(broken).errors).not.toEqual([]);
  });
});
