import { existsSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';

export const executable = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => existsSync(path),
);

/** Where there is no Chromium, tests in it are left out, but not in CI. */
export const isSkipped = executable === undefined && process.env.CI !== 'true';

const quiet = ['gpu', 'quic', 'background-networking', 'component-update', 'sync', 'dev-shm-usage'];
export const flags = [
  '--no-sandbox',
  '--no-first-run',
  ...quiet.map((name) => `--disable-${name}`),
  // No name leads anywhere: a page that needs another host does not work.
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
];

/** Opens a page with nothing stored; `troubles` fills with whatever it complains of or asks other hosts for. */
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
