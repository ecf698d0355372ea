#!/usr/bin/env python3
"""Echo and broadcast on asyncio, with a timer of 200 ms."""
import asyncio
import json
import sys

me, peers, seen, told = None, [], set(), {}


def send(dest, body):
    sys.stdout.write(json.dumps({"src": me, "dest": dest, "body": body}) + "\n")
    sys.stdout.flush()


def handle(message):
    global me, peers
    body, src = message["body"], message["src"]
    kind = body["type"]
    reply = {"type": kind + "_ok", "in_reply_to": body.get("msg_id")}
    if kind == "init":
        me = body["node_id"]
        peers = [peer for peer in body["node_ids"] if peer != me]
        told.update({peer: set() for peer in peers})
    elif kind == "echo":
        reply["echo"] = body["echo"]
    elif kind == "broadcast":
        seen.add(body["message"])
    elif kind == "read":
        reply["messages"] = sorted(seen)
    elif kind in ("gossip", "gossip_ok"):
        seen.update(body["messages"])
        told[src].update(body["messages"])
        if kind == "gossip_ok":
            return
        reply["messages"] = body["messages"]
    send(src, reply)


async def gossip():
    while True:
        await asyncio.sleep(0.2)
        for peer in peers:
            news = sorted(seen - told[peer])
            if news:
                send(peer, {"type": "gossip", "msg_id": 1, "messages": news})


async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    ticker = asyncio.create_task(gossip())
    while line := await reader.readline():
        handle(json.loads(line))
    ticker.cancel()


asyncio.run(main())
