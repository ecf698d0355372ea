"""What every program here has in common: it reads a message, answers it, and sends others."""

import json
import sys


class Node:
    def __init__(self):
        self.id = None
        self.peers = []
        self.calls = 0
        self.waiting = {}

    def send(self, dest, body):
        print(json.dumps({"src": self.id, "dest": dest, "body": body}), flush=True)

    def reply(self, request, body):
        self.send(request["src"], {**body, "in_reply_to": request["body"]["msg_id"]})

    def call(self, dest, body, then):
        """Sends a request; `then` is given the body of the answer."""
        self.calls += 1
        self.waiting[self.calls] = then
        self.send(dest, {**body, "msg_id": self.calls})

    def run(self, handle):
        for line in sys.stdin:
            message = json.loads(line)
            body = message["body"]
            if body["type"] == "init":
                self.id = body["node_id"]
                self.peers = [node for node in body["node_ids"] if node != self.id]
                self.reply(message, {"type": "init_ok"})
            elif body.get("in_reply_to") in self.waiting:
                self.waiting.pop(body["in_reply_to"])(body)
            elif "in_reply_to" not in body:
                handle(message, body)
