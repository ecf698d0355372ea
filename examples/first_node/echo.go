package main

import (
	"encoding/json"
	"os"
)

type message struct {
	Src  string         `json:"src"`
	Dest string         `json:"dest"`
	Body map[string]any `json:"body"`
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var m message
		if in.Decode(&m) != nil {
			return
		}
		reply := map[string]any{"type": m.Body["type"].(string) + "_ok", "in_reply_to": m.Body["msg_id"]}
		if m.Body["type"] == "echo" {
			reply["echo"] = m.Body["echo"]
		}
		out.Encode(message{m.Dest, m.Src, reply})
	}
}
