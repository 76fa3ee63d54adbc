// A Databricks workspace for the tests: the certified OpenID provider `oidc-provider` on a free
// loopback port, laid out on Databricks' paths, with its own sign-in and consent pages, rotating
// refresh tokens, and a record of all that its token endpoint did.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const { Provider } = await quietly(() => import('oidc-provider'));

const CLIENT = 'databricks-cli';
/** A command line that somebody has registered at an issuer that is not Databricks'. */
const OTHER_CLIENT = 'some-cli';
const INTROSPECTOR = 'introspector';
const PORTS = Array.from({ length: 21 }, (_, index) => 8020 + index);
const HOUR = 3600;

/** Starts a provider; `close()` ends it. `lifetime` and `delay` may be changed at any time. */
export async function startProvider() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${server.address().port}`;
  const issuer = `${origin}/oidc`;
  const secret = randomBytes(24).toString('hex');

  const world = {
    origin,
    issuer,
    /** Seconds that an access token lives when it is issued now. */
    lifetime: HOUR,
    /** Milliseconds that the token endpoint takes before it answers. */
    delay: 0,
    /** The `iss` of answers to the browser: as the provider sends it, unless this is a text; '' stands for none. */
    iss: undefined,
    /** Requests that have reached the token endpoint, answered or not. */
    arrivals: 0,
    /** Grants at the token endpoint: { type, at, error }, oldest first. */
    grants: [],
    /** Every code, verifier and token that has passed the token endpoint, by kind. */
    secrets: { code: new Set(), verifier: new Set(), access: new Set(), refresh: new Set() },
    /** How often a spent refresh token came back and its whole family was revoked. */
    revocations: 0,
    count: (type) => world.grants.filter((grant) => grant.type === type && !grant.error).length,
    rejected: () => world.grants.filter((grant) => grant.error),
    introspect: (token) => introspect(issuer, secret, token),
    revoke: (token) => revoke(issuer, token),
    /** The provider's own metadata, where u2m looks for them. */
    metadata: async () => (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json(),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  const provider = await quietly(() => new Provider(issuer, configuration(world, secret)));
  provider.use(withoutWebFonts);
  provider.use(asIssuer(world));
  record(provider, world);
  server.on('request', front(provider.callback(), world));
  return world;
}

function configuration(world, secret) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    clients: [
      {
        client_id: CLIENT,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: PORTS.map((port) => `http://localhost:${port}`),
      },
      {
        client_id: OTHER_CLIENT,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        redirect_uris: PORTS.map((port) => `http://localhost:${port}`),
      },
      {
        client_id: INTROSPECTOR,
        client_secret: secret,
        grant_types: [],
        response_types: [],
        redirect_uris: [],
      },
    ],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    scopes: ['openid', 'offline_access', 'all-apis'],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
    cookies: { keys: [randomBytes(24).toString('hex')] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ttl: {
      AccessToken: () => world.lifetime,
      AuthorizationCode: 60,
      Grant: HOUR,
      IdToken: HOUR,
      Interaction: HOUR,
      RefreshToken: HOUR,
      Session: HOUR,
    },
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true, successSource: (context) => { context.body = '<!DOCTYPE html><p>Success: go back to your device.</p>'; } },
      introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === INTROSPECTOR },
      revocation: { enabled: true, allowedPolicy: (_, client) => [CLIENT, OTHER_CLIENT].includes(client.clientId) },
    },
    routes: {
      authorization: '/v1/authorize',
      code_verification: '/device',
      device_authorization: '/v1/device',
      token: '/v1/token',
      introspection: '/v1/introspect',
      revocation: '/v1/revoke',
      jwks: '/v1/keys',
      userinfo: '/v1/userinfo',
      end_session: '/v1/logout',
    },
  };
}

/** What stands before the provider: the host's metadata, the mount at `/oidc`, and the delay. */
function front(callback, world) {
  return async (request, response) => {
    const url = new URL(request.url, world.origin);
    if (url.pathname === '/.well-known/databricks-config') {
      const metadata = { oidc_endpoint: world.issuer, workspace_id: '900800700600', host_type: 'workspace', cloud: 'AWS' };
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify(metadata));
    }
    if (!url.pathname.startsWith('/oidc/')) {
      response.statusCode = 404;
      return response.end();
    }
    // OpenID Connect drops `offline_access` unless consent is asked for. Databricks does not, and
    // its clients do not ask.
    if (url.pathname === '/oidc/v1/authorize' && !url.searchParams.has('prompt')) {
      url.searchParams.set('prompt', 'consent');
    }
    if (url.pathname === '/oidc/v1/token') {
      world.arrivals += 1;
      await sleep(world.delay);
    }
    request.originalUrl = url.pathname + url.search;
    request.url = request.originalUrl.slice('/oidc'.length);
    return callback(request, response);
  };
}

function record(provider, world) {
  const { grants, secrets } = world;
  const keep = (kind, value) => value && secrets[kind].add(value);
  // A device's code comes back to no browser.
  provider.on('authorization.success', (_, answer) => keep('code', answer?.code));
  provider.on('grant.success', ({ oidc, body, res }) => {
    keep('code', oidc.params.code);
    keep('verifier', oidc.params.code_verifier);
    keep('access', body.access_token);
    keep('refresh', body.refresh_token);
    const grant = { type: oidc.params.grant_type, at: Date.now() };
    grants.push(grant);
    res.once('finish', () => { grant.at = Date.now(); });
  });
  provider.on('grant.error', ({ oidc }, error) => {
    keep('refresh', oidc.params?.refresh_token);
    grants.push({ type: oidc.params?.grant_type, at: Date.now(), error: error.error_description ?? error.message });
  });
  provider.on('grant.revoked', () => { world.revocations += 1; });
  provider.on('server_error', (_, error) => console.error('provider:', error));
}

async function introspect(issuer, secret, token) {
  const authorization = `Basic ${Buffer.from(`${INTROSPECTOR}:${secret}`).toString('base64')}`;
  return (await post(`${issuer}/v1/introspect`, { token }, { authorization })).json();
}

/** Ends the whole login that a refresh token of Databricks' client belongs to. */
async function revoke(issuer, token) {
  await post(`${issuer}/v1/revoke`, { token, client_id: CLIENT });
}

async function post(url, fields, headers) {
  const answer = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(fields), signal: AbortSignal.timeout(5000) });
  if (!answer.ok) {
    throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  }
  return answer;
}

/** Another issuer's name in the answers that browsers carry, as in a mix-up attack (RFC 9207). */
function asIssuer(world) {
  return async (context, next) => {
    await next();
    const location = context.response.get('location');
    if (world.iss === undefined || !location?.startsWith('http://localhost:')) {
      return;
    }
    const url = new URL(location);
    url.searchParams.delete('iss');
    if (world.iss !== '') {
      url.searchParams.set('iss', world.iss);
    }
    context.response.set('location', url.href);
  };
}

/** The provider's pages ask Google for a font. Here nothing may leave the machine. */
async function withoutWebFonts(context, next) {
  await next();
  if (typeof context.body === 'string') {
    context.body = context.body.replace(/@import url\(https:[^)]*\);/g, '');
  }
}

/** The provider warns that its pages and its store are for development only, and, before Node 22, of Node. */
async function quietly(work) {
  const { info, warn } = console;
  console.info = () => {};
  console.warn = () => {};
  try {
    return await work();
  } finally {
    Object.assign(console, { info, warn });
  }
}
