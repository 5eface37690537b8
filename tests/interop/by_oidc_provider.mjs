// An issuer on loopback made of npm's `oidc-provider`: JWT access tokens by client credentials, and
// for clients that register themselves, by a code; its one user is always there and consents.
//
// It prints its issuer, then does what each line of its input says and answers with one line:
// `publish` adds a key to its set, `sign` signs with that key from now on, `retire` takes the other
// key off the set, `token` prints a new access token.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const modules = createRequire(`${process.env.INTEROP}/`);
const { Provider } = await import(pathToFileURL(modules.resolve('oidc-provider')).href);

// Standard output is for answers alone.
console.info = console.error;

const AUDIENCE = 'test-api';
const ALG = 'ES256';
const CLIENT = {
  client_id: 'shop',
  client_secret: randomUUID(),
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  id_token_signed_response_alg: ALG,
};

function key() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: ALG };
}

// The first key signs; every one is published.
function provider(issuer, keys) {
  return new Provider(issuer, {
    clients: [CLIENT],
    jwks: { keys },
    scopes: ['openid', 'orders.read'],
    clientDefaults: { id_token_signed_response_alg: ALG },
    ttl: { ClientCredentials: 600, AccessToken: 600 },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant,
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:test-api',
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          audience: AUDIENCE,
          scope: 'orders.read',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: ALG } },
        }),
      },
    },
  });
}

async function loadExistingGrant({ oidc }) {
  const { clientId } = oidc.client;
  const grant = new oidc.provider.Grant({ clientId, accountId: oidc.session.accountId });
  grant.addOIDCScope('orders.read');
  Object.keys(oidc.resourceServers).forEach((one) => grant.addResourceScope(one, 'orders.read'));
  await grant.save();
  return grant;
}

let keys = [key()];
let current;
const server = createServer((request, response) => {
  if (request.url.startsWith('/interaction/')) {
    const done = { login: { accountId: 'alice' }, consent: {} };
    return current.interactionFinished(request, response, done);
  }
  return current.callback()(request, response);
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

function serve(next) {
  keys = next;
  current = provider(issuer, keys);
}

async function token() {
  const authorization = Buffer.from(`${CLIENT.client_id}:${CLIENT.client_secret}`);
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${authorization.toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders.read' }),
  });
  const answer = await response.json();
  return answer.access_token ?? `no token: ${JSON.stringify(answer)}`;
}

const commands = {
  publish: () => serve([...keys, key()]),
  sign: () => serve([...keys].reverse()),
  retire: () => serve(keys.slice(0, 1)),
  token,
};

serve(keys);
console.log(issuer);
for await (const line of createInterface({ input: process.stdin })) {
  console.log((await commands[line]()) ?? 'done');
}
process.exit(0);
