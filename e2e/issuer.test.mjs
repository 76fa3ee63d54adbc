// The same provider, not as a Databricks workspace but as what it is: an OpenID issuer with a client of somebody's own. Found by
// discovery, signed in to by browser and by device code, and told at logout.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, assertNoSecretLeaked, describe, openWorld } from './world.mjs';

const LIMIT = { timeout: 60_000 };
const CLIENT = 'some-cli';
/** Milliseconds. A token that was fetched up to 5 s ago, in whole seconds, is new enough for a forced refresh. */
const NO_LONGER_NEW = 6200;
let world;

before(async () => { world = await openWorld(); }, LIMIT);
after(async () => {
  assert.deepEqual(await world.close(), [], 'processes were left behind');
}, LIMIT);

const issuer = () => ['--issuer', world.provider.issuer, '--client-id', CLIENT];

test('an issuer is signed in to by its name, and its token is active', LIMIT, async () => {
  const { provider } = world;
  const { run, report } = await world.login('corp', { user: 'ada', to: issuer() });
  assert.equal(run.code, EXIT.success, describe(run));
  assert.match(run.stderr, new RegExp(`^Signed in to ${provider.issuer}\\.$`, 'm'));
  assert.equal(report.outcome, 'success');
  assert.deepEqual(report.callbacks, [{ parameters: ['code', 'iss', 'state'], iss: provider.issuer }]);

  const { access_token } = await world.token('corp');
  const { active, sub, client_id, scope } = await provider.introspect(access_token);
  assert.deepEqual({ active, sub, client_id }, { active: true, sub: 'ada', client_id: CLIENT });
  // Nothing is done with an ID token, so none is asked for.
  assert.deepEqual(scope.split(' ').sort(), ['offline_access']);
  const profile = readFileSync(world.profiles, 'utf8');
  assert.match(profile, /^u2m_issuer +=/m);
  assert.doesNotMatch(profile, /^(host|auth_type|client_id) *=/m, 'nothing that an SDK of Databricks would go by');
});

test('its token is refreshed at the endpoint that the issuer named', LIMIT, async () => {
  const { provider } = world;
  const { access_token: old } = await world.token('corp');
  await sleep(NO_LONGER_NEW);
  const { access_token } = await world.token('corp', ['--force-refresh']);
  assert.notEqual(access_token, old);
  assert.equal((await provider.introspect(access_token)).active, true);
  assert.equal(provider.count('refresh_token'), 1);
});

test('a logout ends the login at the issuer too', LIMIT, async () => {
  const { provider } = world;
  const { access_token } = await world.token('corp');
  const run = await world.run(['logout', 'corp', '--auto-approve', '--output', 'json']);
  assert.equal(run.code, EXIT.success, describe(run));
  assert.equal(JSON.parse(run.stdout).revoked, true, describe(run));
  assert.equal((await provider.introspect(access_token)).active, false);
  assert.equal(provider.revocations, 1);
});

test('a code that is entered in another browser is a login', LIMIT, async () => {
  const { provider } = world;
  const login = world.start(['login', ...issuer(), '--profile', 'device', '--device']);
  const address = await login.stderrLine(/^https?:\/\/\S+\/device$/);
  const code = await login.stderrLine(/^[A-Z]{4}-[A-Z]{4}$/);
  assert.equal(address, `${provider.issuer}/device`);
  const report = await world.browse(address, { scenario: 'device', user: 'grace', code });
  assert.equal(report.outcome, 'success');
  const run = await login.done;
  assert.equal(run.code, EXIT.success, describe(run));
  assert.ok(provider.grants.every(({ error }) => !/slow_down/.test(error ?? '')), 'it polled no faster than it may');

  const { access_token } = await world.token('device');
  const { active, sub, client_id } = await provider.introspect(access_token);
  assert.deepEqual({ active, sub, client_id }, { active: true, sub: 'grace', client_id: CLIENT });
  const out = await world.run(['logout', 'device', '--delete', '--auto-approve']);
  assert.equal(out.code, EXIT.success, describe(out));
  assert.equal((await provider.introspect(access_token)).active, false);
});

test('nothing secret is printed, but for the access token that was asked for', LIMIT, () => {
  assertNoSecretLeaked(world);
});
