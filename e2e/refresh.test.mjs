// After expiry: one refresh, for one caller or for many, at a provider that revokes a login whose
// refresh token is used twice.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, assertNoSecretLeaked, describe, openWorld, within } from './world.mjs';

const LIMIT = { timeout: 60_000 };
const CALLERS = 8;
const FORCED = 16;
/** Milliseconds. A token that was fetched up to 5 s ago, in whole seconds, is new enough for a forced refresh. */
const NO_LONGER_NEW = 6200;
/** Seconds. u2m takes a token with 10 s or less to live for expired, so this one is good for 2 s. */
const SHORT = 12;
let world;

before(async () => {
  world = await openWorld();
  world.provider.lifetime = SHORT;
  const { run } = await world.login('e2e');
  assert.equal(run.code, EXIT.success, describe(run));
}, LIMIT);
after(async () => {
  assert.deepEqual(await world.close(), [], 'processes were left behind');
}, LIMIT);

test('a token that has expired is refreshed, and the new one is active', LIMIT, async () => {
  const { provider } = world;
  const [first] = provider.secrets.access;
  await within(20_000, 'the token did not expire', async () => {
    assert.equal((await provider.introspect(first)).active, false);
    await sleep(100);
  });

  const { access_token } = await world.token('e2e');
  assert.notEqual(access_token, first);
  const { active, sub } = await provider.introspect(access_token);
  assert.deepEqual({ active, sub }, { active: true, sub: 'ada' });
  assert.equal(provider.count('refresh_token'), 1);
});

test(`${CALLERS} callers at once after expiry cost one refresh`, LIMIT, async () => {
  const { provider } = world;
  const before = provider.count('refresh_token');
  await sleep((SHORT - 10 + 1) * 1000);
  provider.lifetime = 3600;
  provider.delay = 300;
  const tokens = await Promise.all(Array.from({ length: CALLERS }, () => world.token('e2e')));
  provider.delay = 0;

  assert.equal(provider.count('refresh_token') - before, 1);
  assert.equal(new Set(tokens.map(({ access_token }) => access_token)).size, 1, 'all got the same token');
  assert.equal((await provider.introspect(tokens[0].access_token)).active, true);
});

test(`${FORCED} callers at once that insist on a new token cost one refresh`, LIMIT, async () => {
  const { provider } = world;
  const before = provider.count('refresh_token');
  const { access_token: old } = await world.token('e2e');
  await sleep(NO_LONGER_NEW);
  provider.delay = 1000;
  const tokens = await Promise.all(Array.from({ length: FORCED }, () => world.token('e2e', ['--force-refresh'])));
  provider.delay = 0;

  assert.equal(provider.count('refresh_token') - before, 1);
  const got = new Set(tokens.map(({ access_token }) => access_token));
  assert.equal(got.size, 1, 'all got the same token');
  assert.ok(!got.has(old), 'and it is a new one');
});

test('Ctrl-C in the middle of a refresh does not cost the login', LIMIT, async () => {
  const { provider } = world;
  const { access_token: old } = await world.token('e2e');
  await sleep(NO_LONGER_NEW);
  const { arrivals } = provider;
  provider.delay = 800;
  const refresh = world.start(['token', '--profile', 'e2e', '--force-refresh']);
  await within(5000, 'no refresh arrived', () => assert.ok(provider.arrivals > arrivals));
  refresh.kill('SIGINT');
  const run = await refresh.done;
  provider.delay = 0;
  assert.equal(run.code, EXIT.interrupted, describe(run));

  // The process that refreshes goes on without its caller.
  let access_token = old;
  for (let tries = 0; tries < 50 && access_token === old; tries += 1) {
    await sleep(100);
    ({ access_token } = await world.token('e2e'));
  }
  assert.notEqual(access_token, old, 'what was spent was saved');
  assert.equal((await provider.introspect(access_token)).active, true);
});

test('no refresh token was ever used twice, and the login lives on', LIMIT, async () => {
  const { provider } = world;
  assert.deepEqual(provider.rejected(), []);
  assert.equal(provider.revocations, 0);

  const { access_token } = await world.token('e2e');
  assert.equal((await provider.introspect(access_token)).active, true);
  // The code exchange and every refresh have each handed out a refresh token.
  assert.equal(provider.count('refresh_token'), 4);
  assert.equal(provider.secrets.refresh.size, 5);
});

test('a login that was revoked at the provider asks to sign in again, and that helps', LIMIT, async () => {
  const { provider } = world;
  await provider.revoke([...provider.secrets.refresh].at(-1));
  await sleep(NO_LONGER_NEW);
  const run = await world.run(['token', '--profile', 'e2e', '--force-refresh']);
  assert.equal(run.code, EXIT.needsLogin, describe(run));
  assert.equal(run.stdout, '');
  assert.match(run.stderr, /\$ u2m login --profile e2e$/m);

  const login = await world.login('e2e');
  assert.equal(login.run.code, EXIT.success, describe(login.run));
  const { access_token } = await world.token('e2e');
  assert.equal((await provider.introspect(access_token)).active, true);
});

test('nothing secret is printed, but for the access token that was asked for', LIMIT, () => {
  assertNoSecretLeaked(world);
});
