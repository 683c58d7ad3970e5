package httpserver

import (
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// needlessEscape reports whether a path escapes a character that stands for itself: a letter, a digit, or one of -._~ (RFC
// 3986, section 2.3). gin matches /v1/sear%63h as /v1/search; a proxy in front that compares it with its policies as it is, as
// Envoy does unless it normalizes paths, would let it through as another one. A path that is escaped as url.URL would do it
// has no RawPath.
func needlessEscape(rawPath string) bool {
	for {
		i := strings.IndexByte(rawPath, '%')
		if i < 0 || i+2 >= len(rawPath) {
			return false
		}
		if unreserved(unhex(rawPath[i+1])<<4 | unhex(rawPath[i+2])) {
			return true
		}
		rawPath = rawPath[i+3:]
	}
}

func unreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '.' || c == '_' || c == '~'
}

// unhex is the value of a hexadecimal digit. That it is one has been seen to when the URL was parsed.
func unhex(c byte) byte {
	if c >= 'A' {
		return c&0xf + 9
	}
	return c & 0xf
}

// refuseNeedlessEscape answers to requests that are not routed because of their path.
func refuseNeedlessEscape(c *gin.Context) {
	problem.Abort(c, problem.BadRequest("needless_escape", "The path escapes a letter, a digit, or one of -._~; send the character itself."))
}
