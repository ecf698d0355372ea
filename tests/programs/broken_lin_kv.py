#!/usr/bin/env python3
"""Registers with one leader, which replies to a write once a majority has it. Every node replies to reads from its own
copy, which may be old.

With the argument `ask` nodes pass reads on to the leader, too, which is right.
"""
import json
import sys

me, leader, nodes, values, pending = None, None, [], {}, {}


def send(dest, body):
    print(json.dumps({"src": me, "dest": dest, "body": body}), flush=True)


def respond(asker, body):
    node, client = asker
    send(client, body) if node == me else send(node, {"type": "pass_back", "to": client, "reply": body})


def lead(asker, body):
    """What the leader does with a client's request that came to it or to another node."""
    kind, key, to = body["type"], body["key"], body["msg_id"]
    if kind == "read" or kind == "cas":
        if key not in values:
            return respond(asker, {"type": "error", "in_reply_to": to, "code": 20, "text": "no such key"})
        if kind == "read":
            return respond(asker, {"type": "read_ok", "in_reply_to": to, "value": values[key]})
        if values[key] != body["from"]:
            return respond(asker, {"type": "error", "in_reply_to": to, "code": 22, "text": "another value"})
    values[key] = body["to"] if kind == "cas" else body["value"]
    number = len(pending)
    pending[number] = (asker, {"type": kind + "_ok", "in_reply_to": to}, {me})
    for node in nodes:
        if node != me:
            send(node, {"type": "store", "number": number, "key": key, "value": values[key]})


for line in sys.stdin:
    message = json.loads(line)
    src, body = message["src"], message["body"]
    kind = body["type"]
    if kind == "init":
        me, nodes = body["node_id"], body["node_ids"]
        leader = nodes[0]
        send(src, {"type": "init_ok", "in_reply_to": body["msg_id"]})
    elif kind == "pass_on":
        lead((src, body["of"]), body["request"])
    elif kind == "pass_back":
        send(body["to"], body["reply"])
    elif kind == "store":
        values[body["key"]] = body["value"]
        send(src, {"type": "stored", "number": body["number"]})
    elif kind == "stored":
        asker, reply, having = pending[body["number"]]
        before = len(having)
        having.add(src)
        if before <= len(nodes) // 2 < len(having):
            respond(asker, reply)
    elif me == leader or kind == "read" and body["key"] in values and sys.argv[1:] != ["ask"]:
        lead((me, src), body)
    else:
        send(leader, {"type": "pass_on", "of": src, "request": body})
