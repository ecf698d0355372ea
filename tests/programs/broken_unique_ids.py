#!/usr/bin/env python3
"""Ids of the node's name and the milliseconds of its clock: two in one millisecond are equal.

With the argument `random` they are drawn instead, which is right.
"""
import json
import sys
import time
import uuid

me = None
for line in sys.stdin:
    message = json.loads(line)
    body = message["body"]
    me = body.get("node_id", me)
    reply = {"type": body["type"] + "_ok", "in_reply_to": body["msg_id"]}
    if body["type"] == "generate":
        reply["id"] = str(uuid.uuid4()) if sys.argv[1:] == ["random"] else f"{me}-{int(time.time() * 1000)}"
    print(json.dumps({"src": me, "dest": message["src"], "body": reply}), flush=True)
