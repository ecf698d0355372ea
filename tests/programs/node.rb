#!/usr/bin/env ruby
# Echo and broadcast: the main thread reads, another one gossips every 200 ms.
require "json"
require "set"

$lock = Mutex.new
$me, $peers, $seen, $told = nil, [], Set.new, {}
$stdout.sync = true

def send(dest, body)
  $stdout.write(JSON.generate({src: $me, dest: dest, body: body}) + "\n")
end

def handle(message)
  body, src = message["body"], message["src"]
  reply = {"type" => body["type"] + "_ok", "in_reply_to" => body["msg_id"]}
  case body["type"]
  when "init"
    $me = body["node_id"]
    $peers = body["node_ids"] - [$me]
    $peers.each { |peer| $told[peer] = Set.new }
  when "echo" then reply["echo"] = body["echo"]
  when "broadcast" then $seen << body["message"]
  when "read" then reply["messages"] = $seen.to_a.sort
  when "gossip"
    $seen.merge(body["messages"])
    $told[src].merge(body["messages"])
    reply["messages"] = body["messages"]
  when "gossip_ok"
    $told[src].merge(body["messages"])
    return
  end
  send(src, reply)
end

Thread.new do
  loop do
    sleep 0.2
    $lock.synchronize do
      $peers.each do |peer|
        news = ($seen - $told[peer]).to_a.sort
        send(peer, {"type" => "gossip", "msg_id" => 1, "messages" => news}) unless news.empty?
      end
    end
  end
end

$stdin.each_line { |line| $lock.synchronize { handle(JSON.parse(line)) } }
