package spec

import "strings"

// Overlap reports whether a request can be on both contract paths: /v1/products/{id} and /v1/products/search.
func Overlap(a, b string) bool {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		if as[i] != bs[i] && !isParameter(as[i]) && !isParameter(bs[i]) {
			return false
		}
	}
	return true
}

// Shadows reports whether the router gives requests to the contract path narrow that the path wide stands for, too. Of two
// paths that overlap, the one with text where the other has a parameter goes first; the first such difference counts.
func Shadows(narrow, wide string) bool {
	if !Overlap(narrow, wide) {
		return false
	}
	ws := strings.Split(wide, "/")
	for i, part := range strings.Split(narrow, "/") {
		if isParameter(part) != isParameter(ws[i]) {
			return isParameter(ws[i])
		}
	}
	return false
}

func isParameter(part string) bool { return strings.HasPrefix(part, "{") }
