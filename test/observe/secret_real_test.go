//go:build real

package observe

import "testing"

func TestTheSearchFindsWhatItIsFor(t *testing.T) {
	for text, want := range map[string]int{
		`{"msg":"card 4111111111111111 declined"}`: 1, `4111-1111-1111-1111`: 1, `to ada@play.example.com: sent`: 1, `password=hunter2hunter2`: 1,
		`"trace_id":"4111111111111111aaaa0000bbbb1111"`: 0, `order 4f1d2a7c`: 0, `1732305364111111111`: 0, `user@host:5432`: 0,
	} {
		s := newSecrets("hunter2hunter2")
		s.search("text", []byte(text))
		if _, found := s.result(); len(found) != want {
			t.Errorf("%s: found %q, want %d", text, found, want)
		}
	}
}
