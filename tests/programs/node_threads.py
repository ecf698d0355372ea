#!/usr/bin/env python3
"""Echo and broadcast: a thread reads, another one handles, a third one gossips every 200 ms."""
import json
import queue
import sys
import threading
import time

inbox, lock = queue.Queue(), threading.Lock()
node = {"id": None, "peers": [], "next": 0}
seen, told = set(), {}


def send(dest, body):
    with lock:
        node["next"] += 1
        body["msg_id"] = node["next"]
        sys.stdout.write(json.dumps({"src": node["id"], "dest": dest, "body": body}) + "\n")
        sys.stdout.flush()


def handle(message):
    body, src = message["body"], message["src"]
    kind = body["type"]
    reply = {"type": kind + "_ok", "in_reply_to": body.get("msg_id")}
    if kind == "init":
        node["id"] = body["node_id"]
        node["peers"] = [peer for peer in body["node_ids"] if peer != node["id"]]
        told.update({peer: set() for peer in node["peers"]})
    elif kind == "echo":
        reply["echo"] = body["echo"]
    elif kind == "broadcast":
        seen.add(body["message"])
    elif kind == "read":
        reply["messages"] = sorted(seen)
    elif kind == "gossip":
        seen.update(body["messages"])
        told[src].update(body["messages"])
        reply["messages"] = body["messages"]
    elif kind == "gossip_ok":
        told[src].update(body["messages"])
        return
    send(src, reply)


def handle_all():
    while True:
        message = inbox.get()
        if message is None:
            return
        handle(message)


def gossip():
    while True:
        time.sleep(0.2)
        for peer in list(node["peers"]):
            news = sorted(seen - told[peer])
            if news:
                send(peer, {"type": "gossip", "messages": news})


threading.Thread(target=gossip, daemon=True).start()
handler = threading.Thread(target=handle_all)
handler.start()
for line in sys.stdin:
    inbox.put(json.loads(line))
inbox.put(None)
handler.join()
