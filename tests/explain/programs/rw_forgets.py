#!/usr/bin/env python3
"""Reads of a transaction do not see its own writes."""

from node import Node

node = Node()
registers = {}


def handle(message, body):
    before = dict(registers)
    done = []
    for step, key, value in body["txn"]:
        if step == "r":
            value = before.get(key)
        else:
            registers[key] = value
        done.append([step, key, value])
    node.reply(message, {"type": "txn_ok", "txn": done})


node.run(handle)
