package spec

import "testing"

func TestHeadersOfCanaries(t *testing.T) {
	for name, want := range map[string]bool{
		"x-canary": true, "canary": true, "tester": true,
		"host": false, ":authority": false, "authorization": false, "cookie": false, "x-forwarded-for": false, "x-envoy-retry-on": false,
		"content-length": false, "traceparent": false, "sec-fetch-mode": false, "connection": false,
	} {
		_, err := ParseService("service.yaml", []byte("name: orders\ntraffic: {canary: {version: v2, header: {name: \""+name+"\"}}}\n"))
		if got := err == nil; got != want {
			t.Errorf("%s is taken: %t, %v", name, got, err)
		}
	}
}
