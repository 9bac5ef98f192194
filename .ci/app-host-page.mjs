// A host of MCP Apps as small as it can be, in the browser: the public host side of ext-apps in front of a
// server over HTTP. It frames the view as the specification asks: a sandbox with the CSP of the resource.
import {
  AppBridge,
  PostMessageTransport,
  buildAllowAttribute,
  getToolUiResourceUri,
  isToolVisibilityModelOnly,
} from "@modelcontextprotocol/ext-apps/app-bridge";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

let client, tools;

window.connect = async (url, key) => {
  const extensions = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };
  client = new Client({ name: "test-host", version: "1" }, { capabilities: { extensions } });
  const requestInit = { headers: { Authorization: `Bearer ${key}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  ({ tools } = await client.listTools());
  return { tools, capabilities: client.getServerCapabilities() };
};

window.call = (name, args) => client.callTool({ name, arguments: args });

function policy({ resourceDomains = [] } = {}) {
  const from = resourceDomains.join(" ");
  return [
    "default-src 'none'", "script-src 'unsafe-inline'", `style-src 'unsafe-inline' ${from}`,
    `img-src data: ${from}`, `font-src ${from}`, `media-src data: ${from}`, "connect-src 'none'",
  ].join("; ");
}

// Shows the view of a tool, with the answer of a call or with one that is given.
window.present = async (name, args, options = {}) => {
  const { theme = "light", width = 680, answer, blocks, capabilities, styles } = options;
  const tool = tools.find((known) => known.name === name);
  const uri = getToolUiResourceUri(tool);
  const { contents: [content] } = await client.readResource({ uri });
  const { csp, permissions } = content._meta.ui;
  const log = { calls: [], contexts: [], messages: [], files: [], links: [], heights: [], refused: [] };
  window.log = log;

  document.documentElement.dataset.theme = theme;
  const frame = document.createElement("iframe");
  frame.width = width;
  frame.height = 120;
  frame.sandbox = "allow-scripts";
  frame.allow = buildAllowAttribute(permissions);
  document.getElementById("stage").replaceChildren(frame);

  const bridge = new AppBridge(null, { name: "test-host", version: "1" }, capabilities ?? {
    openLinks: {}, downloadFile: {}, serverTools: {}, updateModelContext: { text: {}, structuredContent: {} },
    message: { text: {} },
  }, {
    hostContext: {
      theme, locale: "en", timeZone: "UTC", displayMode: "inline", toolInfo: { tool },
      styles: { variables: styles ?? {} },
    },
  });
  bridge.onsizechange = ({ height }) => {
    log.heights.push(height);
    frame.height = height;
  };
  bridge.oncalltool = async (params) => {
    const called = tools.find((known) => known.name === params.name);
    if (isToolVisibilityModelOnly(called)) {
      log.refused.push(params.name);
      throw new Error("not for views");
    }
    log.calls.push(params);
    return options.lookup ?? client.callTool(params);
  };
  bridge.onupdatemodelcontext = async (params) => { log.contexts.push(params); return {}; };
  bridge.onmessage = async (params) => { log.messages.push(params); return {}; };
  bridge.ondownloadfile = async (params) => { log.files.push(params); return {}; };
  bridge.onopenlink = async ({ url }) => { log.links.push(url); return {}; };
  const begun = new Promise((resolve) => { bridge.oninitialized = resolve; });
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  const meta = `<meta http-equiv="Content-Security-Policy" content="${policy(blocks ? {} : csp)}">`;
  frame.srcdoc = content.text.replace("<head>", `<head>${meta}`);
  await begun;
  await bridge.sendToolInput({ arguments: args });
  await bridge.sendToolResult(answer ?? await client.callTool({ name, arguments: args }));
};
