package flag

import (
	"encoding/json"
	"net/http"
	"time"
)

// Handler shows the flags in force, as JSON, for the admin port. Of the keys that have a value of their own it gives the number only,
// since they may be people. There is nothing to set: a change that one replica knows is gone with it, and the file is for all.
func (f *Flags) Handler() http.Handler {
	type shown struct {
		definition
		Keys int `json:"keys,omitempty"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := f.current.Load()
		answer := struct {
			File   string           `json:"file,omitempty"`
			Loaded time.Time        `json:"loaded"`
			Error  string           `json:"error,omitempty"` // why the file's present content is not in force
			Flags  map[string]shown `json:"flags"`
		}{f.opt.File, s.loaded, s.err, map[string]shown{}}
		for name, d := range s.flags {
			answer.Flags[name] = shown{d, len(d.Keys)}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // the client may be gone; there is nobody left to tell
	})
}
