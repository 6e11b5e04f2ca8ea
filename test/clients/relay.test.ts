import { createElement } from 'react';
import { create } from 'react-test-renderer';
import { afterEach, beforeAll, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { createAccount, updateAccount } from './accounts.ts';
import { ask } from './ask.ts';
import { build } from './relay/build.ts';
import { createEnvironment } from './relay/environment.ts';
import { problemsOf, shown, useService } from './support.ts';

const service = useService();
let complaints: MockInstance<typeof console.error>;
let components: typeof import('./relay/accounts.tsx');

beforeAll(async () => {
  await build();
  const built = './relay/accounts.built.tsx';
  components = await import(/* @vite-ignore */ built);
});

beforeEach(() => {
  complaints = vi.spyOn(console, 'error').mockImplementation(() => {});
});

afterEach(() => {
  const texts = complaints.mock.calls.map(([text]) => String(text));
  expect(texts.filter((text) => !text.startsWith('react-test-renderer is deprecated'))).toEqual([]);
  complaints.mockRestore();
});

/** Renders the first two of three accounts and, separately, the second one. */
async function pageWithList(tag: string) {
  for (const number of [1, 2, 3]) {
    const input = {
      id: `${tag}${number}`,
      name: `Account ${tag}${number}`,
      customerId: 'C1234qwd',
      tags: [tag],
    };
    await ask(service, createAccount, { input });
  }
  const environment = createEnvironment(service);
  const renderer = create(createElement(components.App, { environment, tag, id: `${tag}2` }));
  const texts = (type: string) =>
    renderer.root.findAllByType(type as 'li').map(({ children }) => children.join(''));
  const view = {
    names: () => texts('li'),
    title: () => texts('h1').join(),
    buttons: () => renderer.root.findAllByType('button').map(({ props }) => props.name as string),
    click: (name: string) => renderer.root.findByProps({ name }).props.onClick(),
    asked: () => service.asked().slice(4),
  };
  await shown(() => expect(view.names()).toEqual([`Account ${tag}1`, `Account ${tag}2`]));
  return view;
}

describe('Relay', () => {
  it('compiles with the types of relay-compiler', async () => {
    expect(await problemsOf('relay', 'tsconfig.json')).toEqual([]);
  });

  it('adds a created account to the list without another request', async () => {
    const { names, click, asked } = await pageWithList('RLa');
    click('create');
    await shown(() => expect(names()).toEqual(['Account RLa1', 'Account RLa2', 'Account RLa4']));
    expect(asked()).toEqual(['accountsCreateMutation']);
  });

  it('appends pages to the list until the last one', async () => {
    const { names, buttons, click, asked } = await pageWithList('RLb');
    expect(buttons()).toContain('more');
    click('more');
    await shown(() => expect(names()).toEqual(['Account RLb1', 'Account RLb2', 'Account RLb3']));
    expect(buttons()).not.toContain('more');
    expect(asked()).toEqual(['accountsPageQuery']);
  });

  it('updates a name in every view without another request', async () => {
    const { names, title, click, asked } = await pageWithList('RLc');
    click('rename');
    await shown(() => expect(title()).toBe('Renamed'));
    expect(names()).toEqual(['Account RLc1', 'Renamed']);
    expect(asked()).toEqual(['accountsRenameMutation']);
  });

  it('refetches an account by its nodeId and updates every view', async () => {
    const { names, title, click, asked } = await pageWithList('RLd');
    await ask(service, updateAccount, { input: { id: 'RLd2', name: 'Renamed by another' } });
    expect(title()).toBe('Account RLd2');
    click('refetch');
    await shown(() => expect(title()).toBe('Renamed by another'));
    expect(names()).toEqual(['Account RLd1', 'Renamed by another']);
    expect(asked()).toEqual(['UpdateAccount', 'accountsRefetchQuery']);
  });
});
