// Signing in: u2m, a certified OpenID provider, and a browser that clicks through its pages.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, test } from 'node:test';
import { EXIT, assertNoSecretLeaked, assertPortFree, callbackPort, describe, openWorld } from './world.mjs';

const LIMIT = { timeout: 60_000 };
let world;

before(async () => { world = await openWorld(); }, LIMIT);
after(async () => {
  assert.deepEqual(await world.close(), [], 'processes were left behind');
}, LIMIT);

test('a sign-in through the pages of the provider ends in an active token', LIMIT, async () => {
  const { provider } = world;
  const { run, report } = await world.login('e2e', { user: 'ada' });

  assert.equal(run.code, EXIT.success, describe(run));
  assert.match(run.stderr, /e2e/, 'it says which profile was saved');
  assert.match(report.consentText, /all-apis/);
  assertGoodPage(report, 'success');

  const token = await world.token('e2e');
  assert.deepEqual(Object.keys(token).filter((key) => key !== 'expires_in').sort(), ['access_token', 'expiry', 'token_type']);
  assert.equal(token.token_type, 'Bearer');
  const remaining = (Date.parse(token.expiry) - Date.now()) / 1000;
  assert.ok(remaining > 3500 && remaining <= 3600, `the token expires in ${remaining} s`);

  const { active, sub, client_id, scope } = await provider.introspect(token.access_token);
  assert.deepEqual({ active, sub, client_id }, { active: true, sub: 'ada', client_id: 'databricks-cli' });
  assert.deepEqual(scope.split(' ').sort(), ['all-apis', 'offline_access']);
  assert.equal(provider.count('authorization_code'), 1);
  assert.equal(provider.count('refresh_token'), 0, 'a fresh token costs no request');
});

test('the page shows success only after the code was exchanged', LIMIT, async () => {
  const { provider } = world;
  provider.delay = 1500;
  const { report } = await world.login('slow');
  provider.delay = 0;
  const { at } = provider.grants.filter(({ type }) => type === 'authorization_code').at(-1);
  assert.ok(report.shownAt >= at, `success was shown ${at - report.shownAt} ms before the token was there`);
});

test('the cache is for its owner alone', LIMIT, () => {
  assert.equal(statSync(world.cache).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(world.cache)).mode & 0o777, 0o700);
});

test('a sign-in that the user denies fails politely', LIMIT, async () => {
  const exchanged = world.provider.count('authorization_code');
  const { run, report } = await world.login('denied', { scenario: 'deny' });
  assert.notEqual(run.code, EXIT.success);
  assert.match(run.stderr, /access_denied/);
  assertGoodPage(report, 'failure');
  assert.equal(world.provider.count('authorization_code'), exchanged);
  assert.ok(!cachedKeys().includes('denied'));
  await assertPortFree(callbackPort(report.address));
});

test('a sign-in whose tab is closed ends at its time-out, and its port is free again', LIMIT, async () => {
  const exchanged = world.provider.count('authorization_code');
  const { run, report } = await world.login('closed', { scenario: 'close', flags: ['--timeout', '5s'] });
  assert.equal(run.code, EXIT.network, describe(run));
  assert.ok(run.ms >= 4500 && run.ms < 9000, `it ended after ${run.ms} ms`);
  await assertPortFree(callbackPort(report.address));
  assert.equal(world.provider.count('authorization_code'), exchanged);
  assert.ok(!cachedKeys().includes('closed'));
});

test('two sign-ins at once do not disturb each other', LIMIT, async () => {
  const people = ['grace', 'linus'];
  const logins = await Promise.all(people.map((user) => world.login(user, { user })));
  for (const { run, report } of logins) {
    assert.equal(run.code, EXIT.success, describe(run));
    assertGoodPage(report, 'success');
  }
  const ports = logins.map(({ report }) => callbackPort(report.address));
  assert.notEqual(ports[0], ports[1]);
  assert.ok(ports.every((port) => port >= 8020 && port <= 8040), `ports ${ports}`);
  for (const user of people) {
    const { access_token } = await world.token(user);
    const { active, sub } = await world.provider.introspect(access_token);
    assert.deepEqual({ active, sub }, { active: true, sub: user });
  }
});

test('without a browser the address stands alone on a line, and any browser completes the sign-in', LIMIT, async () => {
  const { provider } = world;
  const command = world.start(['login', '--host', provider.origin, '--profile', 'by-hand', '--no-browser']);
  const address = await command.stderrLine(/^https?:\/\/\S+$/);
  assert.ok(address.startsWith(`${provider.issuer}/v1/authorize?`), address);
  const report = await world.browse(address, { user: 'barbara' });
  const run = await command.done;
  assert.equal(run.code, EXIT.success, describe(run));
  assertGoodPage(report, 'success');
  const { access_token } = await world.token('by-hand');
  assert.equal((await provider.introspect(access_token)).sub, 'barbara');
});

test('nothing secret is printed, but for the access token that was asked for', LIMIT, () => {
  assertNoSecretLeaked(world);
});

/** What holds for the last page of every sign-in, good or bad. */
function assertGoodPage(report, outcome) {
  assert.equal(report.outcome, outcome, report.text);
  const { search, origin } = new URL(report.url);
  assert.equal(origin, report.callback);
  assert.ok(!/\b(code|state)=/.test(search), `the address bar holds ${search.replaceAll(/=[^&]*/g, '=…')}`);
  assert.deepEqual(report.requests.filter(({ local }) => !local), [], 'something beyond this machine was asked for');
  assert.deepEqual(report.complaints, [], 'the browser complained of the page');
  assert.match(report.headers['content-security-policy'] ?? '', /default-src 'none'/);
  assert.match(report.headers['cache-control'] ?? '', /no-store/);
  assert.equal(report.headers['referrer-policy'], 'no-referrer');
  assert.notEqual(report.light.background, report.dark.background, 'the page knows no dark mode');
  assert.notEqual(report.light.background, report.light.color);
  assert.notEqual(report.dark.background, report.dark.color);
  assert.ok(report.overflow <= 0, `the page is ${report.overflow} px too wide for a telephone`);
}

function cachedKeys() {
  return Object.keys(JSON.parse(readFileSync(world.cache, 'utf8')).tokens);
}
