"""The `mcp` package of PyPI, version 1 or 2, as a client of the server.

Usage: mcp_client.py stdio COMMAND...   or   mcp_client.py http URL KEY
It validates every structured result against the output schema of its tool by itself.
"""

import asyncio
import sys
from contextlib import asynccontextmanager
from importlib.metadata import version

import mcp

VERSION = version("mcp")
TOOLS = 9
PROMPTS = 3


def transport(arguments):
    """What each version connects to."""
    kind, *rest = arguments
    if kind == "stdio":
        return mcp.StdioServerParameters(command=rest[0], args=rest[1:])
    return rest[0], {"Authorization": f"Bearer {rest[1]}"}


@asynccontextmanager
async def version_1(target):
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import streamablehttp_client

    if isinstance(target, tuple):
        url, headers = target
        streams = streamablehttp_client(url, headers=headers)
    else:
        streams = stdio_client(target)
    async with streams as (read, write, *_):
        async with mcp.ClientSession(read, write) as session:
            await session.initialize()
            yield session


@asynccontextmanager
async def version_2(target, mode):
    if not isinstance(target, tuple):
        async with mcp.Client(target, mode=mode) as client:
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
    for _ in range(200):
        if reports:
            break
        await asyncio.sleep(0.05)
    assert reports and reports[0][2], "no progress"
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


async def main():
    target = transport(sys.argv[1:])
    if VERSION.startswith("1."):
        async with version_1(target) as client:
            await check(client, "initialize")
        return
    for mode in ["legacy", "2026-07-28", "auto"]:
        async with version_2(target, mode) as client:
            await check(client, mode)


asyncio.run(main())
