// A TypeScript SDK as a client of the server: lists the tools, makes a video and reads it.
// Usage, in the folder with the packages: node mcp_client.mjs PACKAGE stdio COMMAND...
//                                     or: node mcp_client.mjs PACKAGE http URL KEY
// PACKAGE is the folder of @modelcontextprotocol/sdk (version 1) or @modelcontextprotocol/client (version 2).
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import process from "node:process";

const [, , name, kind, what, ...more] = process.argv;
const require = createRequire(`${process.cwd()}/`);
const { version } = require(`./node_modules/${name}/package.json`);
const part = (one, two) => require(version.startsWith("1.") ? `${name}/client/${one}.js` : name + two);
const { Client } = part("index", "");

const stdio = () => new (part("stdio", "/stdio").StdioClientTransport)({ command: what, args: more });
const http = () => {
  const headers = { Authorization: `Bearer ${more[0]}` };
  return new (part("streamableHttp", "").StreamableHTTPClientTransport)(new URL(what), { requestInit: { headers } });
};
const client = new Client({ name: "luma-check", version: "1" });
await client.connect(kind === "stdio" ? stdio() : http());

const { tools } = await client.listTools();
assert.equal(tools.length, Number(process.env.LUMA_TOOLS));
const call = async (tool, args) => {
  const result = await client.callTool({ name: tool, arguments: args });
  assert.ok(!result.isError, JSON.stringify(result));
  return JSON.parse(result.content[0].text).result;
};
const { task_id } = await call("luma_generate_video", { prompt: "A fox in the snow" });
let found;
for (let tries = 0; tries < 20 && found?.state !== "completed"; tries++) {
  found = await call("luma_get_task", { task_id });
}
assert.match(found.video?.url ?? "", /^http/, JSON.stringify(found));
console.log(`${name} ${version}, ${kind}${kind === "stdio" ? ` of ${what.split("/").pop()}` : ""}: ok`);
await client.close();
