#!/usr/bin/env python3
"""Each node gives out offsets by itself, so that two of them give out the same, and tells the others of its messages."""

from node import Node

node = Node()
logs = {}
commits = {}


def append(key, offset, message):
    log = logs.setdefault(key, [])
    log.append([offset, message])
    log.sort()


def handle(message, body):
    kind = body["type"]
    if kind == "send":
        log = logs.setdefault(body["key"], [])
        offset = log[-1][0] + 1 if log else 0
        append(body["key"], offset, body["msg"])
        for peer in node.peers:
            node.send(peer, {"type": "replicate", "key": body["key"], "offset": offset, "msg": body["msg"]})
        node.reply(message, {"type": "send_ok", "offset": offset})
    elif kind == "replicate":
        append(body["key"], body["offset"], body["msg"])
    elif kind == "poll":
        messages = {
            key: [entry for entry in logs.get(key, []) if entry[0] >= offset][:10]
            for key, offset in body["offsets"].items()
        }
        node.reply(message, {"type": "poll_ok", "msgs": messages})
    elif kind == "commit_offsets":
        commits.update(body["offsets"])
        node.reply(message, {"type": "commit_offsets_ok"})
    elif kind == "list_committed_offsets":
        offsets = {key: commits[key] for key in body["keys"] if key in commits}
        node.reply(message, {"type": "list_committed_offsets_ok", "offsets": offsets})


node.run(handle)
