// One machine for the tests: a provider, a home folder of its own, and `u2m` run as a person or a
// program would run it. Everything ends with `close()`, whatever happened before.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startProvider } from './provider.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const PICTURES = join(HERE, 'out');
const BINARY = process.env.U2M_E2E_BINARY;
const CHROMIUM = process.env.U2M_E2E_CHROMIUM ?? '/usr/bin/chromium';

/** Exit codes of `u2m` that these tests expect. */
export const EXIT = { success: 0, other: 1, usage: 2, needsLogin: 4, network: 6, interrupted: 130, terminated: 143 };

/** How long a command may take before it is killed and the test fails. */
const PATIENCE = 40_000;

export async function openWorld() {
  assert.ok(BINARY, 'U2M_E2E_BINARY names the binary to test: run `cargo xtask e2e`');
  mkdirSync(PICTURES, { recursive: true });
  const provider = await startProvider();
  const folder = mkdtempSync(join(tmpdir(), 'u2m-e2e-'));
  const world = new World(provider, folder);
  // Interrupted: no hook of the test runner runs any more.
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => process.exit(1));
  }
  process.once('exit', () => world.sweep());
  return world;
}

class World {
  /** Every finished run of `u2m`: { args, code, stdout, stderr, ms }. */
  runs = [];
  #children = new Set();
  #logins = 0;

  constructor(provider, folder) {
    this.provider = provider;
    this.folder = folder;
    this.home = join(folder, 'home');
    this.cache = join(this.home, '.databricks', 'token-cache.json');
    this.profiles = join(this.home, '.databrickscfg');
    mkdirSync(this.home);
    mkdirSync(join(folder, 'tmp'));
    // BROWSER is split at spaces, and the folder of this checkout may hold one.
    symlinkSync(join(HERE, 'browser.mjs'), join(folder, 'browser.mjs'));
  }

  /** Nothing of the caller's Databricks settings, proxies or home gets through. */
  #environment(more) {
    return {
      HOME: this.home,
      TMPDIR: join(this.folder, 'tmp'),
      PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
      DATABRICKS_AUTH_STORAGE: 'plaintext',
      BROWSER: 'none',
      ...more,
    };
  }

  #spawn(program, args, more) {
    const child = spawn(program, args, { env: this.#environment(more), cwd: this.home, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    return child;
  }

  /** Starts `u2m`; `done` resolves with what came of it, `stderrLine` with the first line that matches; `kill` sends a signal. */
  start(args, more = {}) {
    const began = Date.now();
    const child = this.#spawn(BINARY, args, more);
    const run = { args, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => { run.stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { run.stderr += text; });
    const limit = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    const done = new Promise((resolve, reject) => {
      child.once('error', reject);
      // `exit`, not `close`: a browser that outlives the command may hold the streams.
      child.once('exit', async (code, signal) => {
        clearTimeout(limit);
        await Promise.race([new Promise((closed) => child.once('close', closed)), sleep(200)]);
        Object.assign(run, { code, signal, ms: Date.now() - began });
        this.runs.push(run);
        resolve(run);
      });
    });
    const stderrLine = async (pattern) => {
      for (const end = Date.now() + 10_000; Date.now() < end; await sleep(20)) {
        const line = run.stderr.split('\n').slice(0, -1).find((text) => pattern.test(text));
        if (line !== undefined) {
          return line;
        }
      }
      throw new Error(`no line of stderr matches ${pattern}:\n${run.stderr}`);
    };
    return { done, stderrLine, kill: (signal) => child.kill(signal) };
  }

  run(args, more) {
    return this.start(args, more).done;
  }

  /** Starts `u2m login` with a browser that plays `scenario`; `report` resolves with what the browser saw. */
  startLogin(profile, { scenario = 'consent', user = 'ada', flags = [], to = ['--host', this.provider.origin] } = {}) {
    const browser = this.#browser(scenario, user);
    const BROWSER = `node ${join(this.folder, 'browser.mjs')} ${scenario}`;
    const args = ['login', ...to, '--profile', profile, ...flags];
    const U2M_BROWSER_ENV = Object.keys(browser.environment).join();
    return { ...this.start(args, { ...browser.environment, BROWSER, U2M_BROWSER_ENV }), report: browser.report };
  }

  /** `u2m login` to its end: what came of the command and of the browser. */
  async login(profile, options) {
    const login = this.startLogin(profile, options);
    const run = await login.done;
    const report = await login.report(10_000).catch((error) => assert.fail(`${error.message}\n${describe(run)}`));
    assert.equal(report.error, undefined, describe(run));
    return { run, report };
  }

  /** A browser that a person starts by hand, with the address that `u2m` has printed. */
  async browse(address, { scenario = 'consent', user = 'ada', code } = {}) {
    const browser = this.#browser(scenario, user);
    const environment = { ...browser.environment, ...(code && { U2M_E2E_CODE: code }) };
    const child = this.#spawn(process.execPath, [join(HERE, 'browser.mjs'), scenario, address], environment);
    child.stdout.resume();
    child.stderr.resume();
    const report = await browser.report();
    assert.equal(report.error, undefined);
    return report;
  }

  #browser(scenario, user) {
    this.#logins += 1;
    const file = join(this.folder, `report-${this.#logins}.json`);
    const environment = { U2M_E2E_REPORT: file, U2M_E2E_PICTURES: PICTURES, U2M_E2E_USER: user, U2M_E2E_CHROMIUM: CHROMIUM };
    const report = (patience = PATIENCE) => within(patience, `the browser (${scenario}) wrote no report`, () => JSON.parse(readFileSync(file, 'utf8')));
    return { environment, report };
  }

  /** `u2m token`: the parsed JSON of a run that must succeed. */
  async token(profile, flags = []) {
    const run = await this.run(['token', '--profile', profile, ...flags]);
    assert.equal(run.code, EXIT.success, describe(run));
    return JSON.parse(run.stdout);
  }

  /** Ends what still runs, waits for it, and says what had to be ended: that should be nothing. */
  async close() {
    await within(5000, 'a browser still runs', () => assert.deepEqual(this.#processes(), [])).catch(() => {});
    const left = this.#processes();
    this.sweep();
    await this.provider.close();
    return left;
  }

  /** Kills what this world started and still runs, and removes its folder. */
  sweep() {
    for (const child of this.#children) {
      child.kill('SIGKILL');
    }
    for (const { pid } of this.#processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  /** Processes whose command line names this world's folder: browsers and their helpers. Linux only. */
  #processes() {
    const found = [];
    for (const pid of readable(() => readdirSync('/proc')).filter((name) => /^\d+$/.test(name))) {
      const command = readable(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toString().replaceAll('\0', ' ');
      if (command.includes(this.folder)) {
        found.push({ pid: Number(pid), command });
      }
    }
    return found;
  }
}

function readable(read) {
  try {
    return read();
  } catch {
    return [];
  }
}

/** Asks again and again until `attempt` returns without throwing, for `ms` at most. */
export async function within(ms, complaint, attempt) {
  for (const end = Date.now() + ms; ; await sleep(25)) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() >= end) {
        throw new Error(`${complaint} within ${ms} ms: ${error.message}`, { cause: error });
      }
    }
  }
}

/** A run as the text of a failed assertion. */
export function describe({ args, code, signal, stdout, stderr }) {
  return `u2m ${args.join(' ')}\nexit: ${code ?? signal}\nstdout: ${stdout}\nstderr: ${stderr}`;
}

/** The callback port of an authorize URL. */
export function callbackPort(address) {
  return Number(new URL(new URL(address).searchParams.get('redirect_uri')).port);
}

/** Fails when somebody listens on the port of either loopback family. */
export async function assertPortFree(port) {
  for (const host of ['127.0.0.1', '::1']) {
    await new Promise((resolve, reject) => {
      const server = createServer();
      server.once('error', (error) => (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT' ? resolve() : reject(error)));
      server.listen(port, host, () => server.close(resolve));
    });
  }
}

/** No run of `u2m` let out a secret where it does not belong: only `token` prints one, the access token. */
export function assertNoSecretLeaked({ runs, provider }) {
  const { access, ...never } = provider.secrets;
  assert.ok(access.size > 0 && never.refresh.size > 0 && never.code.size > 0 && never.verifier.size > 0, 'nothing to look for');
  for (const { args, stdout, stderr } of runs) {
    for (const secret of access) {
      assert.ok(!stderr.includes(secret), `an access token on stderr of u2m ${args.join(' ')}`);
    }
    for (const [kind, secrets] of Object.entries(never)) {
      for (const secret of secrets) {
        assert.ok(!`${stdout}\n${stderr}`.includes(secret), `a ${kind} in the output of u2m ${args.join(' ')}`);
      }
    }
    if (args[0] === 'login') {
      assert.equal(stdout, '', `u2m ${args.join(' ')} printed on stdout`);
    }
  }
}
