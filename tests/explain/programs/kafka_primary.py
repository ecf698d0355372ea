#!/usr/bin/env python3
"""n0 gives out the offsets and keeps the logs in memory alone: when it is killed, they are gone."""

from node import Node

node = Node()
logs = {}
commits = {}


def handle(message, body):
    kind = body["type"]
    if node.id != "n0":
        node.call("n0", body, lambda answer: node.reply(message, answer))
    elif kind == "send":
        log = logs.setdefault(body["key"], [])
        log.append(body["msg"])
        node.reply(message, {"type": "send_ok", "offset": len(log) - 1})
    elif kind == "poll":
        messages = {
            key: [[at, msg] for at, msg in enumerate(logs.get(key, [])) if at >= offset][:10]
            for key, offset in body["offsets"].items()
        }
        node.reply(message, {"type": "poll_ok", "msgs": messages})
    elif kind == "commit_offsets":
        commits.update(body["offsets"])
        node.reply(message, {"type": "commit_offsets_ok"})
    elif kind == "list_committed_offsets":
        node.reply(message, {"type": "list_committed_offsets_ok", "offsets": commits})


node.run(handle)
