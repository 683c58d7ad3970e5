package httpserver_test

import (
	"context"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
)

func TestClientAddrTrustsNobodyButProxies(t *testing.T) {
	proxies := []string{"10.0.0.0/8", "fd00::/8", "192.168.0.1"}
	for name, test := range map[string]struct {
		remote    string
		forwarded []string
		proxies   []string
		want      string
	}{
		"no proxy":                            {"1.2.3.4:5", nil, nil, "1.2.3.4"},
		"a client's header, no proxy":         {"1.2.3.4:5", []string{"9.9.9.9"}, nil, "1.2.3.4"},
		"a client's header, beside a proxy":   {"1.2.3.4:5", []string{"10.0.0.1"}, proxies, "1.2.3.4"},
		"a proxy":                             {"10.0.0.1:5", []string{"1.2.3.4"}, proxies, "1.2.3.4"},
		"a proxy behind a client's header":    {"10.0.0.1:5", []string{"9.9.9.9, 1.2.3.4"}, proxies, "1.2.3.4"},
		"a proxy that adds a header":          {"10.0.0.1:5", []string{"9.9.9.9", "1.2.3.4"}, proxies, "1.2.3.4"},
		"two proxies":                         {"10.0.0.1:5", []string{"9.9.9.9, 1.2.3.4,192.168.0.1"}, proxies, "1.2.3.4"},
		"proxies only":                        {"10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, proxies, "10.0.0.3"},
		"a proxy that says nothing":           {"10.0.0.1:5", nil, proxies, "10.0.0.1"},
		"nonsense of a client behind a proxy": {"10.0.0.1:5", []string{"x, 1.2.3.4"}, proxies, "1.2.3.4"},
		"nonsense of a proxy":                 {"10.0.0.1:5", []string{"9.9.9.9, x, 10.0.0.2"}, proxies, "10.0.0.2"},
		"an empty header of a proxy":          {"10.0.0.1:5", []string{""}, proxies, "10.0.0.1"},
		"a port":                              {"10.0.0.1:5", []string{"1.2.3.4:80"}, proxies, "1.2.3.4"},
		"a neighbour of a single address":     {"192.168.0.2:5", []string{"9.9.9.9"}, proxies, "192.168.0.2"},
		"version 6":                           {"[fd00::1]:5", []string{"2001:db8::1"}, proxies, "2001:db8::1"},
		"version 6 with a port":               {"[fd00::1]:5", []string{"[2001:db8::1]:80"}, proxies, "2001:db8::1"},
		"version 4 in version 6":              {"[::ffff:10.0.0.1]:5", []string{"::ffff:1.2.3.4"}, proxies, "1.2.3.4"},
		"a zone":                              {"[fe80::1%eth0]:5", nil, proxies, "fe80::1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, 0, &greeter{}, func(o *httpserver.Options) { o.TrustedProxies = test.proxies })
			var got netip.Addr
			b.Router().GET("/plain", func(c *gin.Context) { got = httpserver.ClientAddr(c.Request.Context()) })
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/plain", nil)
			r.RemoteAddr = test.remote
			r.Header["X-Forwarded-For"] = test.forwarded
			r.Header.Set("X-Real-Ip", "8.8.8.8")
			r.Header.Set("Forwarded", "for=8.8.8.8")
			b.Handler().ServeHTTP(httptest.NewRecorder(), r)
			if got.String() != test.want {
				t.Errorf("client %v, want %s", got, test.want)
			}
		})
	}
}

func TestNobodyIsTheClientOutsideARequest(t *testing.T) {
	if addr := httpserver.ClientAddr(context.Background()); addr.IsValid() {
		t.Errorf("client %v", addr)
	}
}
