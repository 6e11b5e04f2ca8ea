import { existsSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';

export const executable = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => existsSync(path),
);

/** Skips the tests without Chromium, except in CI. */
export const isSkipped = executable === undefined && process.env.CI !== 'true';

const quiet = ['gpu', 'quic', 'background-networking', 'component-update', 'sync', 'dev-shm-usage'];
export const flags = [
  '--no-sandbox',
  '--no-first-run',
  ...quiet.map((name) => `--disable-${name}`),
  // No host name resolves, so a page that needs another host fails.
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
];

/** Opens a page in a new context. `troubles` collects its errors and its requests to other hosts. */
export async function newPage(browser: Browser, url: string): Promise<{ page: Page; troubles: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const troubles: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) troubles.push(message.text());
  });
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith('http') && origin !== new URL(url).origin) troubles.push(request.url());
  });
  await page.goto(url);
  return { page, troubles };
}

export function shoot(page: Page, name: string): Promise<unknown> {
  const directory = process.env.SCREENSHOTS;
  return directory ? page.screenshot({ path: `${directory}/${name}.png` }) : Promise.resolve();
}
