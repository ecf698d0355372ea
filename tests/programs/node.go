// Echo and broadcast: a goroutine for each message, as in Maelstrom's library, and a ticker of 200 ms.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"sort"
	"sync"
	"time"
)

type message struct {
	Src  string         `json:"src"`
	Dest string         `json:"dest"`
	Body map[string]any `json:"body"`
}

var (
	lock  sync.Mutex
	me    string
	peers []string
	seen  = map[float64]bool{}
	told  = map[string]map[float64]bool{}
)

func send(dest string, body map[string]any) {
	line, _ := json.Marshal(message{me, dest, body})
	os.Stdout.Write(append(line, '\n'))
}

func sorted(values []float64) []float64 {
	sort.Float64s(values)
	return values
}

func handle(m message) {
	lock.Lock()
	defer lock.Unlock()
	reply := map[string]any{"type": m.Body["type"].(string) + "_ok", "in_reply_to": m.Body["msg_id"]}
	switch m.Body["type"] {
	case "init":
		me = m.Body["node_id"].(string)
		for _, peer := range m.Body["node_ids"].([]any) {
			if peer.(string) != me {
				peers = append(peers, peer.(string))
				told[peer.(string)] = map[float64]bool{}
			}
		}
	case "echo":
		reply["echo"] = m.Body["echo"]
	case "broadcast":
		seen[m.Body["message"].(float64)] = true
	case "read":
		all := []float64{}
		for value := range seen {
			all = append(all, value)
		}
		reply["messages"] = sorted(all)
	case "gossip", "gossip_ok":
		for _, value := range m.Body["messages"].([]any) {
			seen[value.(float64)] = true
			told[m.Src][value.(float64)] = true
		}
		if m.Body["type"] == "gossip_ok" {
			return
		}
		reply["messages"] = m.Body["messages"]
	}
	send(m.Src, reply)
}

func gossip() {
	for range time.Tick(200 * time.Millisecond) {
		lock.Lock()
		for _, peer := range peers {
			news := []float64{}
			for value := range seen {
				if !told[peer][value] {
					news = append(news, value)
				}
			}
			if len(news) > 0 {
				send(peer, map[string]any{"type": "gossip", "msg_id": 1, "messages": sorted(news)})
			}
		}
		lock.Unlock()
	}
}

func main() {
	go gossip()
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<24)
	var handlers sync.WaitGroup
	for input.Scan() {
		var m message
		if json.Unmarshal(input.Bytes(), &m) != nil {
			os.Exit(1)
		}
		if m.Body["type"] == "init" {
			handle(m)
			continue
		}
		handlers.Add(1)
		go func() { defer handlers.Done(); handle(m) }()
	}
	handlers.Wait()
}
