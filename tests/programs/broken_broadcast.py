#!/usr/bin/env python3
"""Broadcast that sends each value to the others once: what is lost on the way stays lost.

With the argument `repeat`, each node also sends all its values to all others twice a second, which is right.
"""
import json
import sys
import threading
import time

lock, seen, node = threading.Lock(), set(), {"id": None, "peers": []}


def send(dest, body):
    with lock:
        sys.stdout.write(json.dumps({"src": node["id"], "dest": dest, "body": body}) + "\n")
        sys.stdout.flush()


def repeat():
    while True:
        time.sleep(0.5)
        for peer in node["peers"]:
            send(peer, {"type": "values", "values": sorted(seen)})


if sys.argv[1:] == ["repeat"]:
    threading.Thread(target=repeat, daemon=True).start()
for line in sys.stdin:
    message = json.loads(line)
    src, body = message["src"], message["body"]
    kind = body["type"]
    reply = {"type": kind + "_ok", "in_reply_to": body.get("msg_id")}
    if kind == "init":
        node["id"] = body["node_id"]
        node["peers"] = [peer for peer in body["node_ids"] if peer != node["id"]]
    elif kind == "values":
        seen.update(body["values"])
        continue
    elif kind == "broadcast":
        seen.add(body["message"])
        for peer in node["peers"]:
            send(peer, {"type": "values", "values": [body["message"]]})
    elif kind == "read":
        reply["messages"] = sorted(seen)
    send(src, reply)
