package idempotency

import (
	"net/http"
	"strings"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

const (
	header         = "Idempotency-Key"
	headerReplayed = "Idempotency-Replayed"
	longestKey     = 255 // characters
)

var (
	errMissing = problem.BadRequest("idempotency_key_missing",
		"This operation needs the header Idempotency-Key with a value of your own making, such as a UUID, that is new for each new request.")
	errMalformed = problem.BadRequest("idempotency_key_malformed",
		"The header Idempotency-Key is no single string of 1 to 255 printable ASCII characters.")
)

// keyOf gives the key of a request, "" when it has none. The header is a structured field whose item is a string (RFC 8941,
// section 3.3.3), "in quotes"; since most clients leave them away, a value without any is taken as it is.
func keyOf(h http.Header) (string, error) {
	values, there := h[header]
	if !there {
		return "", nil
	}
	if len(values) != 1 {
		return "", errMalformed
	}
	text := strings.Trim(values[0], " \t")
	key, ok := bare(text)
	if strings.HasPrefix(text, `"`) {
		key, ok = quoted(text)
	}
	if !ok || key == "" || len(key) > longestKey {
		return "", errMalformed
	}
	return key, nil
}

// bare takes a value without quotes. What has a meaning in a structured field is refused, so that no two readings of a
// header are possible.
func bare(text string) (string, bool) {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || strings.IndexByte(`",;\`, c) >= 0 {
			return "", false
		}
	}
	return text, true
}

// quoted takes a string in quotes, in which a backslash comes before a quote or another backslash, and nothing after it.
func quoted(text string) (string, bool) {
	var key strings.Builder
	for i := 1; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '"':
			return key.String(), i == len(text)-1
		case c < ' ' || c > '~':
			return "", false
		case c == '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", false
			}
			c = text[i]
		}
		key.WriteByte(c)
	}
	return "", false
}
