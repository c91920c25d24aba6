"""A server of the Python SDK, for the guide's client. It cuts the answer of `count` in its middle."""

import asyncio
import socket
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventMessage, EventStore


class Events(EventStore):
    """Keeps every event, so that streams can be resumed."""

    def __init__(self) -> None:
        self.kept = []

    async def store_event(self, stream_id, message):
        self.kept.append((stream_id, message))
        return str(len(self.kept) - 1)

    async def replay_events_after(self, last_event_id, send_callback):
        last = int(last_event_id)
        stream, _ = self.kept[last]
        for number, (of, message) in enumerate(self.kept):
            if number > last and of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


mcp = MCPServer("try")
tasks = set()


@mcp.tool()
async def count(to: int, ctx: Context) -> str:
    for step in range(1, to + 1):
        await asyncio.sleep(0.2)
        await ctx.report_progress(step, to)
        if step == 4:
            await ctx.close_sse_stream()
    return f"counted to {to}"


@mcp.tool()
async def remind(seconds: int, ctx: Context) -> str:
    session = ctx.session

    async def later() -> None:
        await asyncio.sleep(seconds)
        await session.send_log_message("info", "it is time")

    task = asyncio.create_task(later())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return "You will be told."


app = mcp.streamable_http_app(event_store=Events(), retry_interval=1000)


async def noting(scope, receive, send):
    if scope["type"] == "http":
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        last = headers.get("last-event-id")
        print(scope["method"] + (f" behind {last}" if last else ""), file=sys.stderr, flush=True)
    await app(scope, receive, send)


listener = socket.create_server(("127.0.0.1", 0))
print("127.0.0.1:%d" % listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(noting, log_level="error")).run(sockets=[listener])
