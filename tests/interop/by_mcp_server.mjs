// An MCP server on loopback made of npm's `@modelcontextprotocol/sdk`, which knows nothing of OAuth:
// its one tool says as whom the caller is known. It prints `IP:PORT`, and ends with its input.

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const modules = createRequire(`${process.env.INTEROP}/`);
const sdk = (path) => import(pathToFileURL(modules.resolve(`@modelcontextprotocol/sdk/${path}`)).href);
const { McpServer } = await sdk('server/mcp.js');
const { StreamableHTTPServerTransport } = await sdk('server/streamableHttp.js');

const http = createServer(async (request, response) => {
  const server = new McpServer({ name: 'orders', version: '1.0.0' });
  server.registerTool('whoami', { description: 'As whom the caller is known.' }, (extra) => ({
    content: [{ type: 'text', text: extra.requestInfo.headers['x-auth-subject'] ?? 'nobody' }],
  }));
  // No session: each request stands alone.
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(transport);
  await transport.handleRequest(request, response);
});
await new Promise((listening) => http.listen(0, '127.0.0.1', listening));
console.log(`127.0.0.1:${http.address().port}`);
process.stdin.resume().on('end', () => process.exit(0));
