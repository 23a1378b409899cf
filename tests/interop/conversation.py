"""Talks to the relay through Python's websockets library, with two clients.

Usage: conversation.py PORT. Prints each message. Exits with 1 where a client receives another message than expected.
Needs python3-websockets (10 or later).
"""

import asyncio
import sys

import websockets

RELAY = f"ws://127.0.0.1:{sys.argv[1]}"


async def expect(name, client, expected):
    received = await asyncio.wait_for(client.recv(), 10)
    print(f"{name} < {received!r}")
    if received != expected:
        sys.exit(f"{name} expected {expected!r}, received {received!r}")


async def send(name, client, message):
    print(f"{name} > {message!r}")
    await client.send(message)


async def converse():
    async with websockets.connect(f"{RELAY}/ws?from=1") as one:
        async with websockets.connect(f"{RELAY}/ws") as two:
            await send("one", one, "2:这里来吧")
            await expect("two", two, "这里来吧")
            await send("two", two, "1:coming: now")
            await expect("one", one, "2:coming: now")
            await send("two", two, b"1:\x00\xff:")
            await expect("one", one, b"2:\x00\xff:")
            await send("two", two, "2:")
            await expect("two", two, "")
            await send("one", one, ["2:in ", "several ", "fragments"])
            await expect("two", two, "in several fragments")
            await asyncio.wait_for(await two.ping(), 10)
            await send("one", one, "2:" + "x" * 500_000)
            await expect("two", two, "x" * 500_000)
        await send("one", one, "2:still there?")
        await expect("one", one, ':error no_such_id Cannot send to "2": nobody has this id')
    print(f"one left with {one.close_code}")

    async with websockets.connect(f"{RELAY}/echo") as echo:
        await send("three", echo, "hello")
        await expect("three", echo, "res:hello")


asyncio.run(converse())
