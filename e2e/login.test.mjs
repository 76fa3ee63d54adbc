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
  const shown = provider.origin;
  assert.deepEqual(run.stderr.trimEnd().split('\n'), [
    `Opening ${shown} in your browser...`,
    `Signed in to ${shown}.`,
    'Profile e2e was successfully saved in ~/.databrickscfg, and is the default now.',
    'The login is kept in ~/.databricks/token-cache.json.',
  ]);
  assert.match(report.consentText, /all-apis/);
  assertGoodPage(report, 'success');
  assert.deepEqual(report.callbacks, [{ parameters: ['code', 'iss', 'state'], iss: provider.issuer }]);

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
  assert.equal(run.code, EXIT.other, describe(run));
  assert.match(run.stderr, /access_denied/);
  assertGoodPage(report, 'failure');
  assert.equal(world.provider.count('authorization_code'), exchanged);
  assert.ok(!cachedKeys().includes('denied'));
  await assertPortFree(callbackPort(report.address));
});

test('the name of the issuer in the answer is checked, as the provider promises to send it', LIMIT, async () => {
  const { provider } = world;
  const { issuer, authorization_response_iss_parameter_supported: promised } = await provider.metadata();
  assert.deepEqual({ issuer, promised }, { issuer: provider.issuer, promised: true });

  const stored = saved();
  const exchanged = provider.grants.length;
  for (const [iss, complaint] of [['https://somebody-else.example/oidc', /another issuer/], ['', /did not include an issuer/]]) {
    provider.iss = iss;
    const { run, report } = await world.login('mixed-up').finally(() => { provider.iss = undefined; });
    assert.equal(run.code, EXIT.other, describe(run));
    assert.match(run.stderr, complaint);
    assert.deepEqual(report.callbacks.map((callback) => callback.iss), [iss || null]);
    assertGoodPage(report, 'failure');
  }
  assert.equal(provider.grants.length, exchanged, 'the code was sent to nobody');
  assert.deepEqual(saved(), stored);
});

test('a sign-in whose tab is closed ends at its time-out, and its port is free again', LIMIT, async () => {
  const exchanged = world.provider.count('authorization_code');
  const { run, report } = await world.login('closed', { scenario: 'close', flags: ['--timeout', '5s'] });
  assert.equal(run.code, EXIT.network, describe(run));
  assert.match(run.stderr, /--timeout/, 'it says what to do');
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

for (const [signal, code] of [['SIGINT', EXIT.interrupted], ['SIGTERM', EXIT.terminated]]) {
  test(`${signal} while the browser is open ends the sign-in, frees its port and changes nothing`, LIMIT, async () => {
    const stored = saved();
    const login = world.startLogin('interrupted', { scenario: 'stay' });
    const report = await login.report();
    assert.equal(report.error, undefined);
    const began = Date.now();
    login.kill(signal);
    const run = await login.done;
    const took = Date.now() - began;
    const port = callbackPort(report.address);

    assert.equal(run.code, code, describe(run));
    assert.ok(took < 2000, `it took ${took} ms to end`);
    assert.ok(isRunning(report.pid), 'the browser is the person\'s, and stays');
    await assertPortFree(port);
    assert.deepEqual(saved(), stored);
    process.kill(report.pid, 'SIGTERM');
  });
}

test('a sign-in takes another port while one waits, which completes all the same', LIMIT, async () => {
  const first = world.start(['login', '--host', world.provider.origin, '--profile', 'patient', '--no-browser']);
  const address = await first.stderrLine(/^https?:\/\/\S+$/);
  const second = await world.login('hasty', { user: 'edsger' });
  assert.equal(second.run.code, EXIT.success, describe(second.run));
  assert.notEqual(callbackPort(second.report.address), callbackPort(address));

  const report = await world.browse(address, { user: 'margaret' });
  const run = await first.done;
  assert.equal(run.code, EXIT.success, describe(run));
  assertGoodPage(report, 'success');
  for (const [profile, user] of [['hasty', 'edsger'], ['patient', 'margaret']]) {
    const { access_token } = await world.token(profile);
    assert.equal((await world.provider.introspect(access_token)).sub, user);
  }
});

test('a host beside a profile is a mistake in the command, and changes nothing', LIMIT, async () => {
  const stored = saved();
  const run = await world.run(['login', world.provider.origin, '--profile', 'e2e']);
  assert.equal(run.code, EXIT.usage, describe(run));
  assert.deepEqual(saved(), stored);
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
  assert.equal(report.callbacks.length, 1, 'the browser came back once');
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

/** All that a sign-in stores, byte for byte. */
function saved() {
  return [world.cache, world.profiles].map((path) => readFileSync(path, 'utf8'));
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function cachedKeys() {
  return Object.keys(JSON.parse(readFileSync(world.cache, 'utf8')).tokens);
}
