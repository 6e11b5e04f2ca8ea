import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Running, usePrograms } from '../cli/program.ts';
import { executable, flags, isSkipped, newPage, shoot } from './chromium.ts';

const programs = usePrograms();

/** Opens GraphiQL and waits until it is loaded. */
async function open(browser: Browser, url: string) {
  const { page, troubles } = await newPage(browser, url);
  await page.locator('button.graphiql-execute-button').waitFor();
  return { page, troubles };
}

/** Returns the text of an editor in one line without its non-breaking spaces. */
async function textOf(editor: Locator): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: the editor orders its lines by style, not in the document
  return (await editor.innerText()).replaceAll(/\s+/g, ' ');
}

const result = (page: Page) => page.locator('section.result-window, .graphiql-response').first();

/** Presses the button and waits for a response that contains a text. */
async function execute(page: Page, expected: string): Promise<string> {
  await page.locator('button.graphiql-execute-button').click();
  await result(page).getByText(expected).first().waitFor();
  return textOf(result(page));
}

/**
 * Opens a tab and presses the button until a response contains a text, because GraphiQL knows the operation of a tab
 * only a moment after it shows the tab.
 */
function executeTab(page: Page, index: number, expected: string): Promise<string> {
  return vi.waitFor(
    async () => {
      const tab = page.getByRole('tab').nth(index);
      await tab.locator('button').first().click({ timeout: 2000 });
      await page.locator('button.graphiql-execute-button').click({ timeout: 2000 });
      await result(page).getByText(expected).first().waitFor({ timeout: 2000 });
      return textOf(result(page));
    },
    { timeout: 30_000, interval: 200 },
  );
}

async function expectToken(page: Page, token: string | undefined): Promise<void> {
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  const headers = page.locator('section.graphiql-editor-tool');
  await expect
    .poll(() => textOf(headers), { timeout: 10_000 })
    .toContain(`"Authorization": "Bearer ${token}"`);
}

if (isSkipped) {
  console.warn(
    'SKIPPED: GraphiQL is not tested in a browser, because there is no Chromium at /usr/bin/chromium.',
  );
}

describe.skipIf(isSkipped)('GraphiQL in a browser', () => {
  let browser: Browser;
  let service: Running;
  beforeAll(async () => {
    if (executable === undefined) throw new Error('There is no Chromium; CI must not skip this test.');
    service = await programs.serve({ DATA_DIR: programs.path('data') });
    browser = await chromium.launch({ executablePath: executable, args: flags });
  });
  afterAll(async () => {
    await browser?.close();
    await service?.stop('SIGTERM');
  });

  it('creates the example account and reads it without another host', async () => {
    const { page, troubles } = await open(browser, service.url);
    expect(await page.getByRole('tab').allTextContents()).toEqual([
      expect.stringContaining('CreateAccount'),
      expect.stringContaining('Account'),
      expect.stringContaining('AccountHistory'),
    ]);
    await expectToken(page, service.token);
    expect(await execute(page, 'CreateAccountSuccess')).toMatch(
      /"id": "ACC00001", "nodeId": "account_\w{26}"/,
    );
    await shoot(page, 'created');
    expect(await executeTab(page, 1, 'accountByAlias')).toContain(
      '"id": "ACC00001", "name": "Primary Account"',
    );
    await shoot(page, 'read');
    const past = await executeTab(page, 2, 'diff');
    expect(past).toContain('"field": "address.city", "before": null, "after": "Florence", "version": 1');
    await shoot(page, 'past');
    expect(troubles).toEqual([]);
  });

  it('shows why the same account cannot be created again, also after a reload', async () => {
    const { page, troubles } = await open(browser, service.url);
    await executeTab(page, 0, 'createAccount');
    await page.reload();
    expect(await executeTab(page, 0, 'ID_TAKEN')).toContain('already names an account');
    await executeTab(page, 1, 'accountByAlias');
    await expectToken(page, service.token);
    expect(await page.getByRole('tab').count()).toBe(3);
    expect(troubles).toEqual([]);
  });

  it('shows the documentation of the schema', async () => {
    const { page, troubles } = await open(browser, service.url);
    await page.getByRole('button', { name: /Documentation Explorer/ }).click();
    const manual = page.locator('.graphiql-plugin');
    await manual.getByRole('link', { name: 'Mutation', exact: true }).click();
    await manual.getByText('Creates an account with its aliases and settings').first().waitFor();
    await shoot(page, 'manual');
    expect(troubles).toEqual([]);
  });
});
