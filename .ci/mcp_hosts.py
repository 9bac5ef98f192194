"""Frameworks for agents, as hosts of the server: each converts its tools, makes a video and reads it.

Usage: mcp_hosts.py NAME stdio COMMAND...   or   mcp_hosts.py NAME http URL KEY
with one of the names in HOSTS, each in an environment that has the package of this name.
"""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from importlib.metadata import version

TOOLS = int(os.environ["LUMA_TOOLS"])
PROMPT = {"prompt": "A fox in the snow"}


def target(kind, *rest):
    """A command with its arguments, or a URL with its headers."""
    if kind == "stdio":
        return rest[0], list(rest[1:])
    return rest[0], {"Authorization": f"Bearer {rest[1]}"}


async def see_through(count, call):
    """`call(tool, arguments)` gives the JSON text of a result."""
    assert count == TOOLS, count
    task = json.loads(await call("luma_generate_video", PROMPT))["result"]
    arguments = {"task_id": task["task_id"]}
    for _ in range(20):
        found = json.loads(await call("luma_get_task", arguments))["result"]
        if found["state"] == "completed":
            assert found["video"]["url"].startswith("http"), found
            return
    raise SystemExit(f"not completed: {found}")


@asynccontextmanager
async def session(kind, what, more):
    """A session of the `mcp` package, version 2."""
    from mcp import ClientSession, StdioServerParameters

    if kind == "stdio":
        from mcp.client.stdio import stdio_client

        streams = stdio_client(StdioServerParameters(command=what, args=more))
    else:
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        http = httpx2.AsyncClient(headers=more, timeout=60)
        streams = streamable_http_client(what, http_client=http)
    async with streams as (read, write, *_), ClientSession(read, write) as client:
        await client.initialize()
        yield client


async def fastmcp(kind, what, more):
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

    stdio = kind == "stdio"
    transport = StdioTransport(what, more) if stdio else StreamableHttpTransport(what, headers=more)
    async with Client(transport) as client:

        async def call(tool, arguments):
            result = await client.call_tool(tool, arguments)
            assert result.structured_content == json.loads(result.content[0].text), result
            return result.content[0].text

        await see_through(len(await client.list_tools()), call)


async def langchain(kind, what, more):
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_mcp_adapters.tools import load_mcp_tools

    server = {
        "stdio": {"transport": "stdio", "command": what, "args": more},
        "http": {"transport": "streamable_http", "url": what, "headers": more},
    }
    client = MultiServerMCPClient({"luma": server[kind]})
    async with client.session("luma") as opened:
        tools = {tool.name: tool for tool in await load_mcp_tools(opened)}

        async def call(tool, arguments):
            blocks = await tools[tool].ainvoke(arguments)
            return blocks[0]["text"]

        await see_through(len(tools), call)


async def openai_agents(kind, what, more):
    from agents.mcp import MCPServerStdio, MCPServerStreamableHttp, MCPUtil

    # Its timeouts are the default ones.
    stdio = kind == "stdio"
    if stdio:
        server = MCPServerStdio(params={"command": what, "args": more})
    else:
        server = MCPServerStreamableHttp(params={"url": what, "headers": more})
    async with server:
        for strict in (False, True):
            tools = [MCPUtil.to_function_tool(tool, server, strict) for tool in await server.list_tools()]
            assert all(tool.params_json_schema["type"] == "object" for tool in tools)

        async def call(tool, arguments):
            result = await server.call_tool(tool, arguments)
            return result.content[0].text

        await see_through(len(tools), call)


async def google_genai(kind, what, more):
    from google.genai._adapters import McpToGenAiToolAdapter
    from google.genai.types import FunctionCall

    async with session(kind, what, more) as opened:
        adapter = McpToGenAiToolAdapter(opened, await opened.list_tools())
        declared = [function for tool in adapter.tools for function in tool.function_declarations]
        generate = next(it for it in declared if it.name == "luma_generate_video")
        assert generate.parameters.required == ["prompt"], generate
        assert "9:16" in generate.parameters.properties["aspect_ratio"].enum, generate

        async def call(tool, arguments):
            result = await adapter.call_tool(FunctionCall(name=tool, args=arguments))
            return result.content[0].text

        await see_through(len(declared), call)


async def anthropic(kind, what, more):
    from anthropic.lib.tools.mcp import async_mcp_tool

    async with session(kind, what, more) as opened:
        tools = [async_mcp_tool(tool, opened) for tool in (await opened.list_tools()).tools]
        tools = {tool.to_dict()["name"]: tool for tool in tools}

        async def call(tool, arguments):
            content = await tools[tool].call(arguments)
            return content[0]["text"]

        # It fails on links, so the server is told to leave them out.
        await see_through(len(tools), call)


HOSTS = {
    "fastmcp": fastmcp,
    "langchain-mcp-adapters": langchain,
    "openai-agents": openai_agents,
    "google-genai": google_genai,
    "anthropic": anthropic,
}
name, kind, *rest = sys.argv[1:]
asyncio.run(HOSTS[name](kind, *target(kind, *rest)))
print(f"{name} {version(name)}, {kind}: ok")
