// Broadcast through a hub with few messages: each node sends its news to the first one, and that one everybody's news
// to all, at most every 250 ms, and again until it is acknowledged. About two messages per operation in challenge 3d.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"sync"
	"time"
)

type message struct {
	Src  string         `json:"src"`
	Dest string         `json:"dest"`
	Body map[string]any `json:"body"`
}

var (
	lock sync.Mutex
	me   string
	ids  []string
	all  []float64
	seen = map[float64]bool{}
	// How much of all a peer has acknowledged, how much it was sent, and since when it has not acknowledged more.
	acked, sent = map[string]int{}, map[string]int{}
	since       = map[string]time.Time{}
	// How much of its own list a peer has told, how much of that it knows to have arrived, and when it was last told so.
	have, told = map[string]int{}, map[string]int{}
	toldAt     = map[string]time.Time{}
)

func send(dest string, body map[string]any) {
	line, _ := json.Marshal(message{me, dest, body})
	os.Stdout.Write(append(line, '\n'))
}

func add(value float64) {
	if !seen[value] {
		seen[value] = true
		all = append(all, value)
	}
}

func handle(m message) {
	lock.Lock()
	defer lock.Unlock()
	reply := map[string]any{"type": m.Body["type"].(string) + "_ok", "in_reply_to": m.Body["msg_id"]}
	switch m.Body["type"] {
	case "init":
		me = m.Body["node_id"].(string)
		for _, id := range m.Body["node_ids"].([]any) {
			ids = append(ids, id.(string))
		}
	case "broadcast":
		add(m.Body["message"].(float64))
	case "read":
		reply["messages"] = all
		if all == nil {
			reply["messages"] = []float64{}
		}
	case "news":
		for _, value := range m.Body["values"].([]any) {
			add(value.(float64))
		}
		number := func(key string) int { return int(m.Body[key].(float64)) }
		if number("have") > acked[m.Src] {
			acked[m.Src], since[m.Src] = number("have"), time.Now()
		}
		if number("from") <= have[m.Src] && number("upto") > have[m.Src] {
			have[m.Src] = number("upto")
		}
		return
	}
	send(m.Src, reply)
}

func tell(peer string) {
	from := acked[peer]
	if sent[peer] > from && time.Since(since[peer]) < time.Second {
		from = sent[peer]
	} else {
		since[peer] = time.Now()
	}
	if from == len(all) && (have[peer] == told[peer] || time.Since(toldAt[peer]) < 500*time.Millisecond) {
		return
	}
	values := append([]float64{}, all[from:]...)
	send(peer, map[string]any{"type": "news", "values": values, "from": from, "upto": len(all), "have": have[peer]})
	sent[peer], told[peer], toldAt[peer] = len(all), have[peer], time.Now()
}

func gossip() {
	for range time.Tick(250 * time.Millisecond) {
		lock.Lock()
		for _, id := range ids {
			if id != me && (me == ids[0] || id == ids[0]) {
				tell(id)
			}
		}
		lock.Unlock()
	}
}

func main() {
	go gossip()
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<24)
	for input.Scan() {
		var m message
		if json.Unmarshal(input.Bytes(), &m) != nil {
			os.Exit(1)
		}
		handle(m)
	}
}
