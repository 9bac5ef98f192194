"""The `mcp` package of PyPI, from version 1.6 to 2, as a client of the server.

Usage: mcp_client.py stdio COMMAND...   or   mcp_client.py http URL KEY
   or: mcp_client.py confirm COMMAND...   for a server that asks the user before each video
It validates every structured result against the output schema of its tool by itself.
"""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from importlib.metadata import version

import mcp

VERSION = version("mcp")
TOOLS = int(os.environ["LUMA_TOOLS"])
# Without structured content, and without HTTP before 1.8.
IS_OLD = VERSION in ("1.6.0", "1.9.4")
PROMPTS = 3


def transport(arguments):
    """What each version connects to."""
    kind, *rest = arguments
    if kind != "http":
        return mcp.StdioServerParameters(command=rest[0], args=rest[1:])
    return rest[0], {"Authorization": f"Bearer {rest[1]}"}


asked = []


async def user(context, params):
    """Accepts the first question and declines the others."""
    asked.append(params.message)
    return mcp.types.ElicitResult(action="decline" if len(asked) > 1 else "accept", content={})


@asynccontextmanager
async def version_1(target):
    from mcp.client.stdio import stdio_client

    if isinstance(target, tuple):
        from mcp.client.streamable_http import streamablehttp_client

        url, headers = target
        streams = streamablehttp_client(url, headers=headers)
    else:
        streams = stdio_client(target)
    async with streams as (read, write, *_):
        more = {} if IS_OLD else {"elicitation_callback": user}
        async with mcp.ClientSession(read, write, **more) as session:
            await session.initialize()
            yield session


@asynccontextmanager
async def version_2(target, mode):
    if not isinstance(target, tuple):
        async with mcp.Client(target, mode=mode, elicitation_callback=user) as client:
            yield client
        return
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    url, headers = target
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with mcp.Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            yield client


def content(result):
    """Structured content and the error flag, which the versions spell differently."""
    if hasattr(result, "structuredContent"):
        return result.structuredContent["result"], result.isError
    return result.structured_content["result"], result.is_error


async def check(client, mode):
    tools = (await client.list_tools()).tools
    assert len(tools) == TOOLS, tools
    prompts = (await client.list_prompts()).prompts
    assert len(prompts) == PROMPTS, prompts

    prompt = await client.get_prompt("luma_prompt_suggestions", {"subject": "a fox"})
    assert "a fox" in prompt.messages[0].content.text
    types = mcp.types
    reference = types.PromptReference(type="ref/prompt", name="luma_prompt_suggestions")
    found = await client.complete(reference, {"name": "aspect_ratio", "value": "9:"})
    assert found.completion.values == ["9:16", "9:21"], found

    submitted = await client.call_tool("luma_generate_video", {"prompt": "A fox in the snow"})
    report, is_error = content(submitted)
    assert not is_error and report["state"] == "pending", report
    task = {"task_id": report["task_id"]}

    reports = []

    async def progress(progress, total, message):
        reports.append((progress, total, message))

    held = asyncio.create_task(
        client.call_tool("luma_get_task", task, progress_callback=progress)
    )
    while not reports and not held.done():
        await asyncio.sleep(0.05)
    # On a busy machine the video may be there before the call.
    assert reports[0][2] if reports else content(held.result())[0]["state"] == "completed", "no progress"
    # Walking away from a call that is held does no harm.
    held.cancel()

    for _ in range(20):
        await asyncio.sleep(0.5)
        batch, is_error = content(
            await client.call_tool("luma_get_tasks_batch", {"task_ids": [task["task_id"]]})
        )
        assert not is_error, batch
        if batch["tasks"][0]["state"] == "completed":
            break
    found = await client.call_tool("luma_get_task", task)
    report, is_error = content(found)
    assert not is_error and report["state"] == "completed", report
    links = [block for block in found.content if block.type == "resource_link"]
    assert str(links[0].uri) == report["video"]["url"], links

    refused = await client.call_tool("luma_generate_video", {"promt": "A fox"})
    report, is_error = content(refused)
    assert is_error and report["error"]["code"] == "invalid_arguments", report

    try:
        result = await client.call_tool("luma_nothing", {})
        raise SystemExit(f"an unknown tool was answered: {result}")
    except Exception as error:
        code = getattr(getattr(error, "error", error), "code", None)
        assert code == -32602, (code, error)
    print(f"mcp {VERSION}, {mode}: ok")


async def check_confirm(client, mode):
    asked.clear()
    for action in ("accept", "decline"):
        submitted = await client.call_tool("luma_generate_video", {"prompt": "A fox in the snow"})
        report, is_error = content(submitted)
        assert is_error == (action == "decline"), report
    assert len(asked) == 2 and "A fox in the snow" in asked[0], asked
    print(f"mcp {VERSION}, {mode}, --confirm: ok")


async def check_old(client):
    assert len((await client.list_tools()).tools) == TOOLS

    async def call(tool, arguments):
        result = await client.call_tool(tool, arguments)
        assert not result.isError and [block.type for block in result.content] == ["text"], result
        return json.loads(result.content[0].text)["result"]

    task = {"task_id": (await call("luma_generate_video", {"prompt": "A fox in the snow"}))["task_id"]}
    for _ in range(20):
        report = await call("luma_get_task", task)
        if report["state"] == "completed":
            break
    assert report["video"]["url"].startswith("http"), report
    print(f"mcp {VERSION}, {sys.argv[1]}: ok")


async def main():
    target = transport(sys.argv[1:])
    check_it = check_confirm if sys.argv[1] == "confirm" else check
    if VERSION.startswith("1."):
        async with version_1(target) as client:
            await (check_old(client) if IS_OLD else check_it(client, "initialize"))
        return
    for mode in ["legacy", "2026-07-28", "auto"]:
        async with version_2(target, mode) as client:
            await check_it(client, mode)


asyncio.run(main())
