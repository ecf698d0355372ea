#!/usr/bin/env python3
"""A log in which two threads handle requests: each copies a key's log, writes to its disk, and stores the longer copy.
What the other has appended meanwhile is lost.

All nodes pass requests on to the first one. With the argument `lock` a thread locks the logs meanwhile, which is right.
"""
import contextlib
import json
import queue
import sys
import threading
import time

stdout, inbox, node, asked = threading.Lock(), queue.Queue(), {}, set()
logs, committed = {}, {}
appending = threading.Lock() if sys.argv[1:] == ["lock"] else contextlib.nullcontext()


def send(dest, body):
    with stdout:
        print(json.dumps({"src": node["id"], "dest": dest, "body": body}), flush=True)


def append(key, value):
    with appending:
        log = list(logs.get(key, []))
        time.sleep(0.005)
        logs[key] = log + [value]
        return len(log)


def answer(body):
    kind = body["type"]
    reply = {"type": kind + "_ok", "in_reply_to": body["msg_id"]}
    if kind == "send":
        reply["offset"] = append(body["key"], body["msg"])
    elif kind == "poll":
        news = {key: list(enumerate(logs.get(key, [])))[first:] for key, first in body["offsets"].items()}
        reply["msgs"] = {key: pairs for key, pairs in news.items() if pairs}
    elif kind == "commit_offsets":
        for key, offset in body["offsets"].items():
            committed[key] = max(offset, committed.get(key, 0))
    elif kind == "list_committed_offsets":
        reply["offsets"] = {key: committed[key] for key in body["keys"] if key in committed}
    return reply


def handle(src, body):
    kind = body["type"]
    if kind == "init":
        node.update(id=body["node_id"], first=body["node_ids"][0])
        send(src, {"type": "init_ok", "in_reply_to": body["msg_id"]})
    elif kind == "pass_on":
        send(src, {"type": "pass_back", "to": body["of"], "reply": answer(body["request"])})
    elif kind == "pass_back":
        send(body["to"], body["reply"])
    elif node["id"] == node["first"]:
        send(src, answer(body))
    else:
        send(node["first"], {"type": "pass_on", "of": src, "request": body})


def handle_all():
    while True:
        handle(*inbox.get())


for _ in range(2):
    threading.Thread(target=handle_all, daemon=True).start()
for line in sys.stdin:
    message = json.loads(line)
    src, body = message["src"], message["body"]
    # What the network duplicates is not appended twice.
    asked_by = (body["of"], body["request"]["msg_id"]) if body["type"] == "pass_on" else None
    if asked_by is None or asked_by not in asked:
        asked.add(asked_by)
        inbox.put((src, body))
