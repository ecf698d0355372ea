"""What every program here has in common: it reads a message, answers it, and sends others."""

import json
import os
import select
import sys
import time


class Node:
    def __init__(self):
        self.id = None
        self.peers = []
        self.calls = 0
        self.waiting = {}
        self.period = None

    def send(self, dest, body):
        print(json.dumps({"src": self.id, "dest": dest, "body": body}), flush=True)

    def reply(self, request, body):
        self.send(request["src"], {**body, "in_reply_to": request["body"]["msg_id"]})

    def call(self, dest, body, then):
        """Sends a request; `then` is given the body of the answer."""
        self.calls += 1
        self.waiting[self.calls] = then
        self.send(dest, {**body, "msg_id": self.calls})

    def every(self, period, then):
        """Calls `then` again and again, so many seconds apart."""
        self.period, self.then = period, then

    def lines(self):
        """The lines of stdin; the timer fires in between."""
        if not self.period:
            yield from sys.stdin
            return
        pending, due = b"", time.monotonic() + self.period
        while True:
            if select.select([0], [], [], max(0, due - time.monotonic()))[0]:
                chunk = os.read(0, 65536)
                if not chunk:
                    return
                *lines, pending = (pending + chunk).split(b"\n")
                yield from lines
            if time.monotonic() >= due:
                due += self.period
                self.then()

    def run(self, handle, init=lambda: None):
        for line in self.lines():
            message = json.loads(line)
            body = message["body"]
            if body["type"] == "init":
                self.id = body["node_id"]
                self.peers = [node for node in body["node_ids"] if node != self.id]
                self.reply(message, {"type": "init_ok"})
                init()
            elif body.get("in_reply_to") in self.waiting:
                self.waiting.pop(body["in_reply_to"])(body)
            elif "in_reply_to" not in body:
                handle(message, body)
