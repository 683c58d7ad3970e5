package httpserver_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestPathThatEscapesWhatNeedsNoneIsRefused(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	b.Router().GET("/plain/search", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	for target, want := range map[string]int{
		"/v1/%67reetings/abc":              400,
		"/v1/greetings/%61bc":              400,
		"/v1/greetings/%41":                400,
		"/v1/greetings/a%7Eb":              400,
		"/v1/greetings/a%7eb":              400,
		"/v1/greetings/a%2Db":              400,
		"/v1/greetings/%2E%2E":             400,
		"/v1/greetings/a%5Fb":              400,
		"/v1/greetings/%30":                400,
		"/v1/greetings/a%20b%63":           400,
		"/plain/sear%63h":                  400,
		"/health/liv%65":                   400,
		"/nowhere/%61":                     400,
		"http://example.com/v1/%67":        400,
		"/plain/search":                    204,
		"/v1/greetings/a%20b":              200,
		"/v1/greetings/a%3Ab%40c":          200,
		"/v1/greetings/%C3%A9":             200,
		"/v1/greetings/%c3%a9":             200,
		"/v1/greetings/a%2561":             200, // a percent sign and digits
		"/v1/greetings/a%3Ab%2561":         200,
		"/v1/greetings/a%60%5B%7B%2F%3A":   404, // next to letters and digits; a slash makes another path
		"/v1/greetings?after=%32026-01-01": 200, // a query is no path
	} {
		w := b.send(t, http.MethodGet, target, "")
		if w.Code != want {
			t.Errorf("%s: %d %s; want %d", target, w.Code, w.Body, want)
		}
		if w.Code != http.StatusBadRequest {
			continue
		}
		if code, _ := problemOf(t, w); code != "needless_escape" || w.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s: %s %v", target, code, w.Header())
		}
	}
	refused := b.log.lines(t, "request")
	refused = slices.DeleteFunc(refused, func(line map[string]any) bool { return line["status"] != 400.0 })
	if len(refused) != 14 || refused[0]["operation"] != "unmatched" {
		t.Errorf("the access log has %d refusals, want 14; %v", len(refused), refused)
	}
}
