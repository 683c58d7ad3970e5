package httpserver

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// The character NUL is refused in every text of a request: databases do not keep it, and some break on it.
var (
	errNULParameter = problem.BadRequest("invalid_parameters", "The request's parameters hold the character NUL, which no text may.")
	errNULBody      = problem.Invalid("invalid_body", "A text in the body holds the character NUL, which no text may.")
)

const (
	escapedInURL  = "%00"
	escapedInJSON = `\u0000`
)

// nulInURL looks into the path, which is decoded, and the query, which is not and cannot hold it as it is.
func nulInURL(u *url.URL) bool {
	return strings.IndexByte(u.Path, 0) >= 0 || strings.Contains(u.RawQuery, escapedInURL)
}

// nulInForm looks into a form as it was sent.
func nulInForm(data []byte) bool {
	return bytes.IndexByte(data, 0) >= 0 || bytes.Contains(data, []byte(escapedInURL))
}

// nulInJSON looks into a body and, if it may be there, into the value that the body was decoded to.
func nulInJSON(data []byte, value any) bool {
	return bytes.Contains(data, []byte(escapedInJSON)) && holdsNUL(value)
}

func holdsNUL(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.IndexByte(v, 0) >= 0
	case []any:
		return slices.ContainsFunc(v, holdsNUL)
	case map[string]any:
		for name, member := range v {
			if holdsNUL(name) || holdsNUL(member) {
				return true
			}
		}
	}
	return false
}
