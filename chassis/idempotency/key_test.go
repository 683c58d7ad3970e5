package idempotency

import (
	"net/http"
	"testing"
)

func FuzzKey(f *testing.F) {
	for _, text := range []string{"", "a", `"a"`, `"a\"b"`, `"a\\"`, `"\`, `"`, `""`, `"a";b`, "a,b", "8e03978e-40d5-43e8-bc93-6894a57f9324", "\x00", "é"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := keyOf(http.Header{"Idempotency-Key": {text}})
		if (err == nil) != (key != "") {
			t.Fatalf("%q gives the key %q and the error %v", text, key, err)
		}
		if err != nil {
			return
		}
		if len(key) > longestKey {
			t.Fatalf("%q gives a key of %d characters", text, len(key))
		}
		written := `"`
		for _, c := range []byte(key) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q gives the key %q", text, key)
			}
			if c == '"' || c == '\\' {
				written += `\`
			}
			written += string(c)
		}
		// However it was written: as the standard writes it, it is the same key.
		if again, err := keyOf(http.Header{"Idempotency-Key": {written + `"`}}); err != nil || again != key {
			t.Fatalf("%q is the key %q, but written as %s it is %q and %v", text, key, written+`"`, again, err)
		}
	})
}
