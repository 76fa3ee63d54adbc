// A person with a browser: `BROWSER="node …/browser.mjs SCENARIO"`. The URL to open comes as the
// last argument. Drives real Chromium through the provider's own pages, looks at the page that u2m
// shows at the end, and writes what it saw into the file that U2M_E2E_REPORT names.
//
// Scenarios: `consent` signs in and consents, `deny` signs in and cancels, `close` closes the tab,
// `stay` leaves the sign-in page open until it is told to end (SIGTERM), `device` types the code that
// U2M_E2E_CODE names at the address, signs in and consents.
// Says nothing on its own streams: they belong to the program that opened it.

import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const [scenario, address] = process.argv.slice(2);
const { U2M_E2E_REPORT: file, U2M_E2E_PICTURES: pictures, U2M_E2E_USER: user = 'ada', U2M_E2E_CHROMIUM: executablePath, U2M_E2E_CODE: code } = process.env;
const LIMIT = 30_000;

/** How the final page is told from one that still waits. The failure is tried first. */
const FAILURE = /denied|fail|error|not (signed|logged)|cancel/i;
const SUCCESS = /signed in|logged in|authenticated|success/i;

/** Loopback is all that this browser can resolve, so that it cannot reach anything else. */
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE ::1',
];

const callback = new URL(address).searchParams.get('redirect_uri');
const report = { scenario, pid: process.pid, address, requests: [], callbacks: [], complaints: [], pictures: [] };

async function main() {
  // A last resort that leaves nothing running: Playwright ends Chromium when this process exits.
  const limit = setTimeout(() => finish(`not done after ${LIMIT} ms`).finally(() => process.exit(1)), LIMIT);
  const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS, timeout: LIMIT });
  try {
    const context = await browser.newContext({ viewport: { width: 900, height: 640 } });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    listen(page);
    await page.goto(address);
    await visit(page);
    await finish();
    if (scenario === 'stay') {
      await new Promise((told) => process.once('SIGTERM', told));
    }
  } catch (error) {
    await finish(String(error?.stack ?? error));
  } finally {
    clearTimeout(limit);
    await browser.close();
  }
}

async function visit(page) {
  if (scenario === 'device') {
    await enter(page);
    return;
  }
  await page.locator('input[name=login]').fill(user);
  await page.locator('input[name=password]').fill('a password of no importance');
  if (scenario === 'close') {
    await page.close();
    report.closedAt = Date.now();
    return;
  }
  if (scenario === 'stay') {
    return;
  }
  await page.getByRole('button', { name: 'Sign-in' }).click();
  const consent = page.getByRole('button', { name: 'Continue' });
  await consent.waitFor();
  report.consentText = await page.locator('.login-card').innerText();
  // A click waits for the navigation that it starts; the last page may take its time.
  if (scenario === 'deny') {
    await page.getByRole('link', { name: 'Cancel' }).click({ noWaitAfter: true });
  } else {
    await consent.click({ noWaitAfter: true });
  }
  await look(page);
}

/** Types the code, confirms it, and signs in: all of it at the provider, which says at the end that it is done. */
async function enter(page) {
  await page.locator('input[name=user_code]').fill(code);
  await page.getByRole('button', { name: 'Continue' }).click();
  const confirm = page.getByRole('button', { name: 'Continue' });
  await page.getByText(code).waitFor();
  await confirm.click();
  await page.locator('input[name=login]').fill(user);
  await page.locator('input[name=password]').fill('a password of no importance');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.locator('.login-card').getByText('offline').first().waitFor();
  report.consentText = await page.locator('.login-card').innerText();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText(/success/i).first().waitFor();
  report.outcome = 'success';
}

/** Waits for the page that says how it ended, and looks at it by day, by night and on a telephone. */
async function look(page) {
  const outcome = await settled(page, callback);
  Object.assign(report, outcome, { url: page.url(), title: await page.title(), callback });
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    report[colorScheme] = await page.evaluate(() => {
      const painted = [document.body, document.documentElement]
        .map((element) => getComputedStyle(element).backgroundColor)
        .find((color) => color !== 'rgba(0, 0, 0, 0)');
      return { background: painted ?? 'none', color: getComputedStyle(document.body).color };
    });
    await picture(page, colorScheme);
  }
  await page.setViewportSize({ width: 360, height: 640 });
  report.overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await picture(page, 'narrow');
}

async function settled(page, callback) {
  for (const end = Date.now() + 15_000; Date.now() < end; await sleep(20)) {
    if (!page.url().startsWith(callback)) {
      continue;
    }
    // Between two documents there is nothing to read: ask again.
    const text = await page.evaluate(() => `${document.title}\n${document.body?.innerText ?? ''}`).catch(() => '');
    if (FAILURE.test(text)) {
      return { outcome: 'failure', shownAt: Date.now(), text };
    }
    if (SUCCESS.test(text)) {
      return { outcome: 'success', shownAt: Date.now(), text };
    }
  }
  throw new Error(`no final page; the browser stands at ${new URL(page.url()).origin}`);
}

/** Notes every request, and all that the browser complains of on u2m's page. */
function listen(page) {
  const local = (url) => !/^https?:/.test(url) || ['localhost', '127.0.0.1', '[::1]'].includes(new URL(url).hostname);
  page.on('request', (request) => {
    const { origin, pathname, searchParams } = new URL(request.url());
    if (origin === callback && searchParams.size > 0) {
      report.callbacks.push({ parameters: [...searchParams.keys()].sort(), iss: searchParams.get('iss') });
    }
    report.requests.push({ method: request.method(), url: origin + pathname, local: local(request.url()) });
  });
  page.on('response', (response) => {
    const request = response.request();
    if (request.isNavigationRequest() && new URL(response.url()).hostname === 'localhost') {
      report.headers = response.headers();
      report.status = response.status();
    }
  });
  page.on('pageerror', (error) => report.complaints.push(String(error)));
  page.on('console', (message) => {
    // The page of a failure has the status of one, and no page here has an icon.
    const { hostname, pathname } = new URL(message.location().url || 'about:blank');
    const expected = /^Failed to load resource/.test(message.text())
      && (hostname !== 'localhost' || pathname === '/favicon.ico' || report.status >= 400);
    if (message.type() === 'error' && !expected) {
      report.complaints.push(`${message.text()} (${hostname}${pathname})`);
    }
  });
}

async function picture(page, kind) {
  const shown = scenario === 'consent' && report.outcome === 'failure' ? 'failed' : scenario;
  const path = join(pictures, `callback-${shown}-${kind}.png`);
  await publish(path, await page.screenshot({ fullPage: true }));
  report.pictures.push(path);
}

async function finish(error) {
  await publish(file, JSON.stringify({ ...report, error }, null, 2));
}

/** A file appears whole or not at all, also where two browsers take the same picture. */
async function publish(path, content) {
  const part = `${path}.${process.pid}`;
  await writeFile(part, content);
  await rename(part, path);
}

await main();
