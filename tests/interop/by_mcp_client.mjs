// The client of npm's `@modelcontextprotocol/sdk`. Arguments: what to do, and the MCP server's URL.
//
// `challenge` and `well-known` print the authorization server that its discovery finds, from the
// challenge of a refused request or from the well-known path alone. `connect` does all that a user's
// client does: it is refused, discovers, registers, fetches a token by a code, and calls `whoami`.
// What fails is printed as `failed: …`.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const modules = createRequire(`${process.env.INTEROP}/`);
const sdk = (path) => import(pathToFileURL(modules.resolve(`@modelcontextprotocol/sdk/${path}`)).href);
const oauth = await sdk('client/auth.js');
const { Client } = await sdk('client/index.js');
const { StreamableHTTPClientTransport } = await sdk('client/streamableHttp.js');

const [, , what, url] = process.argv;
const REDIRECT = 'http://127.0.0.1/callback';

async function discover(options) {
  const resource = await oauth.discoverOAuthProtectedResourceMetadata(url, options);
  const server = resource.authorization_servers[0];
  const { issuer } = await oauth.discoverAuthorizationServerMetadata(server);
  return `${resource.resource} ${issuer}`;
}

// Follows the redirects of an authorization request as a browser does, up to the client's own.
async function browse(location) {
  const cookies = new Map();
  for (let steps = 0; !location.startsWith(REDIRECT); steps += 1) {
    if (steps > 10) throw new Error(`no end of redirects: ${location}`);
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
    const response = await fetch(location, { redirect: 'manual', headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0].split('=');
      cookies.set(name, value);
    }
    const next = response.headers.get('location');
    if (!next) throw new Error(`${response.status} ${await response.text()}`);
    location = new URL(next, location).href;
  }
  return new URL(location).searchParams.get('code');
}

// What the SDK asks its user to remember.
class Memory {
  redirectUrl = REDIRECT;
  clientMetadata = {
    client_name: 'interop',
    application_type: 'native',
    redirect_uris: [REDIRECT],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.saved; }
  saveTokens(tokens) { this.saved = tokens; }
  redirectToAuthorization(location) { this.location = location; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
}

async function connect() {
  const authProvider = new Memory();
  const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider });
  const first = transport();
  try {
    await new Client({ name: 'interop', version: '1.0.0' }).connect(first);
    return 'connected without a token';
  } catch (error) {
    if (!(error instanceof oauth.UnauthorizedError)) throw error;
  }
  await first.finishAuth(await browse(authProvider.location.href));
  const client = new Client({ name: 'interop', version: '1.0.0' });
  await client.connect(transport());
  const answer = await client.callTool({ name: 'whoami' });
  await client.close();
  return `${authProvider.location.origin} ${answer.content[0].text}`;
}

const steps = {
  challenge: async () => discover(oauth.extractWWWAuthenticateParams(await fetch(url, { method: 'POST' }))),
  'well-known': () => discover(),
  connect,
};

try {
  console.log(await steps[what]());
} catch (error) {
  console.log(`failed: ${error.message}`.replaceAll('\n', ' '));
}
process.exit(0);
