"""The vendor's Python SDK awaits tasks. The counterpart of `waits.rs`: python waits.py URL PACE"""

import asyncio
import sys
import time

from acedatacloud import AsyncAceDataCloud


def peak():
    """The most memory that this process ever had, in MB."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


async def main():
    url, pace = sys.argv[1], float(sys.argv[2])
    client = AsyncAceDataCloud(api_token="any", base_url=url)
    ends = {}

    async def wait(task):
        try:
            await client.tasks.wait(task, service="luma", poll_interval=pace)
            ends[task] = time.time()
        except Exception as error:
            print(error, file=sys.stderr)

    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    print("ready", flush=True)
    begin = time.process_time()
    waits = []
    while line := (await reader.readline()).decode().strip():
        waits.append(asyncio.create_task(wait(line)))
    await asyncio.gather(*waits)
    print(time.process_time() - begin)
    print(peak())
    for task, end in ends.items():
        print(task, end)
    print(flush=True)


asyncio.run(main())
