// After expiry: one refresh, for one caller or for many, at a provider that revokes a login whose
// refresh token is used twice.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, assertNoSecretLeaked, describe, openWorld, within } from './world.mjs';

const LIMIT = { timeout: 60_000 };
const CALLERS = 8;
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

test('no refresh token was ever used twice, and the login lives on', LIMIT, async () => {
  const { provider } = world;
  assert.deepEqual(provider.rejected(), []);
  assert.equal(provider.revocations, 0);

  const { access_token } = await world.token('e2e');
  assert.equal((await provider.introspect(access_token)).active, true);
  // One code exchange and two refreshes have each handed out a refresh token.
  assert.equal(provider.secrets.refresh.size, 3);
});

test('nothing secret is printed, but for the access token that was asked for', LIMIT, () => {
  assertNoSecretLeaked(world);
});
