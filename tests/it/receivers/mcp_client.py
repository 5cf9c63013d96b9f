"""A client of the Model Context Protocol, the official one for Python, a program of its own.

Takes the address of a server, or the program and arguments of one on standard input and output. Prints
one line of JSON: its name, the names of its tools, and what the tool `open_incidents` says.
"""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


def transport(words):
    if words[0].startswith("http"):
        return streamable_http_client(words[0])
    return stdio_client(StdioServerParameters(command=words[0], args=words[1:]))


async def ask(words):
    async with transport(words) as streams:
        async with ClientSession(streams[0], streams[1]) as session:
            hello = await session.initialize()
            tools = (await session.list_tools()).tools
            answer = await session.call_tool("open_incidents", {})
            refused = await session.call_tool("provider_status", {})
            await session.send_ping()
    return {
        "name": hello.server_info.name,
        "tools": [tool.name for tool in tools],
        "read_only": all(tool.annotations.read_only_hint for tool in tools),
        "is_error": answer.is_error,
        "text": answer.content[0].text,
        "refused": refused.is_error,
    }


print(json.dumps(asyncio.run(ask(sys.argv[1:]))), flush=True)
