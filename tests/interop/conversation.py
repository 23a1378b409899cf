"""A conversation of two clients with the relay, through a client library that this project did not write.

Usage: conversation.py PORT. Prints what was said; exits 1 with the difference where the relay said something else.
Needs python3-websockets (10 or later).
"""

import asyncio
import sys

import websockets

RELAY = f"ws://127.0.0.1:{sys.argv[1]}"


async def hear(name, client, expected):
    heard = await asyncio.wait_for(client.recv(), 10)
    print(f"{name} < {heard!r}")
    if heard != expected:
        sys.exit(f"{name} expected {expected!r}, heard {heard!r}")


async def say(name, client, message):
    print(f"{name} > {message!r}")
    await client.send(message)


async def converse():
    async with websockets.connect(f"{RELAY}/ws?from=1") as one:
        async with websockets.connect(f"{RELAY}/ws") as two:
            await say("one", one, "2:这里来吧")
            await hear("two", two, "这里来吧")
            await say("two", two, "1:coming: now")
            await hear("one", one, "2:coming: now")
            await say("two", two, b"1:\x00\xff:")
            await hear("one", one, b"2:\x00\xff:")
            await say("two", two, "2:")
            await hear("two", two, "")
            await say("one", one, ["2:in ", "several ", "fragments"])
            await hear("two", two, "in several fragments")
            await asyncio.wait_for(await two.ping(), 10)
            await say("one", one, "2:" + "x" * 500_000)
            await hear("two", two, "x" * 500_000)
        await say("one", one, "2:still there?")
        await hear("one", one, ':error no_such_id Cannot send to "2": nobody has this id')
    print(f"one left with {one.close_code}")

    async with websockets.connect(f"{RELAY}/echo") as echo:
        await say("three", echo, "hello")
        await hear("three", echo, "res:hello")


asyncio.run(converse())
