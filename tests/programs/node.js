#!/usr/bin/env node
// Echo and broadcast, with a timer of 200 ms.
const readline = require("readline");

let me = null, peers = [];
const seen = new Set(), told = new Map();

const send = (dest, body) => process.stdout.write(JSON.stringify({ src: me, dest, body }) + "\n");
const sorted = (set) => [...set].sort((a, b) => a - b);

const handle = ({ src, body }) => {
  const reply = { type: body.type + "_ok", in_reply_to: body.msg_id };
  switch (body.type) {
    case "init":
      me = body.node_id;
      peers = body.node_ids.filter((peer) => peer !== me);
      peers.forEach((peer) => told.set(peer, new Set()));
      break;
    case "echo": reply.echo = body.echo; break;
    case "broadcast": seen.add(body.message); break;
    case "read": reply.messages = sorted(seen); break;
    case "gossip":
      body.messages.forEach((value) => { seen.add(value); told.get(src).add(value); });
      reply.messages = body.messages;
      break;
    case "gossip_ok": body.messages.forEach((value) => told.get(src).add(value)); return;
  }
  send(src, reply);
};

setInterval(() => {
  for (const peer of peers) {
    const news = sorted([...seen].filter((value) => !told.get(peer).has(value)));
    if (news.length > 0) send(peer, { type: "gossip", msg_id: 1, messages: news });
  }
}, 200).unref();

readline.createInterface({ input: process.stdin }).on("line", (line) => handle(JSON.parse(line)));
