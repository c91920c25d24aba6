"""The client of the Python SDK, against the guide's server."""

import asyncio
import sys

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

asked = []


async def note(response: httpx2.Response) -> None:
    """Notes each request, so that resumptions can be seen."""
    last = response.request.headers.get("last-event-id")
    behind = f" behind {last}" if last else ""
    asked.append(f"{response.request.method}{behind}: {response.status_code}")


async def main(url: str) -> None:
    steps: list[int] = []
    reminded = asyncio.Event()

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(int(done))

    async def logged(params) -> None:
        print("unasked:", params.data)
        reminded.set()

    http = httpx2.AsyncClient(event_hooks={"response": [note]}, timeout=httpx2.Timeout(30, read=300))
    transport = streamable_http_client(url, http_client=http)
    async with http, Client(transport, logging_callback=logged) as client:
        print("version:", client.protocol_version)
        print("tools:", " ".join(tool.name for tool in (await client.list_tools()).tools))
        print((await client.call_tool("remind", {"seconds": 2})).content[0].text)
        counted = await client.call_tool("count", {"to": 8}, progress_callback=progress)
        print(counted.content[0].text, "by", *steps)
        assert steps == list(range(1, 9)), "steps are missing or doubled"
        await asyncio.wait_for(reminded.wait(), 10)
    print("requests:", "; ".join(asked))


asyncio.run(main(sys.argv[1]))
