import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Running, usePrograms } from '../cli/program.ts';
import { executable, flags, isSkipped, newPage, shoot } from './chromium.ts';

const programs = usePrograms();

describe.skipIf(isSkipped)('the REST reference in a browser', () => {
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

  it('shows every call and sends one with a token without another host', async () => {
    const url = service.url.replace(/\/graphql$/, '/docs');
    const { page, troubles } = await newPage(browser, url);
    await page.getByRole('heading', { name: 'accountgraph' }).first().waitFor();
    expect(await page.locator('.opblock').count()).toBe(22);
    await shoot(page, 'reference');

    await page.getByRole('button', { name: 'Authorize', exact: true }).first().click();
    await page.locator('.modal-ux input').fill(service.token ?? '');
    await page.locator('.modal-ux button[type=submit]').click();
    await page.locator('.modal-ux .btn-done').click();

    const call = page.locator('#operations-Customers-getCustomer');
    await call.locator('.opblock-summary-control').click();
    await call.getByRole('button', { name: 'Try it out' }).click();
    await call.locator('tr[data-param-name="id"] input').fill('C1234qwd');
    await call.getByRole('button', { name: 'Execute' }).click();
    const answer = call.locator('.live-responses-table .response').first();
    await answer.waitFor();
    expect(await answer.textContent()).toContain('Acme Enterprise');
    await shoot(page, 'reference-call');
    expect(troubles).toEqual([]);
  });
});
