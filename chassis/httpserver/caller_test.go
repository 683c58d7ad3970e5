package httpserver_test

import (
	"fmt"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

const ordersCertificate = "By=spiffe://trellis.local/ns/trellis/sa/greeter;Hash=af01;Subject=\"\";URI=spiffe://trellis.local/ns/trellis/sa/orders"

func TestRequestsAreCountedByCaller(t *testing.T) {
	for _, c := range []struct {
		name    string
		headers []string
		want    string
	}{
		{"nobody said", nil, "unknown"},
		{"a certificate", []string{"X-Forwarded-Client-Cert", ordersCertificate}, "orders"},
		{"a certificate of another namespace", []string{
			"X-Forwarded-Client-Cert", "By=spiffe://trellis.local/ns/trellis/sa/greeter;URI=spiffe://trellis.local/ns/istio-ingress/sa/gateway",
		}, "istio-ingress/gateway"},
		{"the last hop's certificate", []string{
			"X-Forwarded-Client-Cert", "By=spiffe://x/ns/trellis/sa/a;URI=spiffe://x/ns/trellis/sa/b," +
				`By=spiffe://x/ns/trellis/sa/greeter;Subject="CN=c,O=d";URI=spiffe://x/ns/trellis/sa/users`,
		}, "users"},
		{"a certificate and a name", []string{"X-Forwarded-Client-Cert", ordersCertificate, httpclient.CallerHeader, "catalog"}, "orders"},
		{"a certificate without a service", []string{"X-Forwarded-Client-Cert", "By=x;URI=y", httpclient.CallerHeader, "catalog"}, "unknown"},
		{"a name", []string{httpclient.CallerHeader, "bff-web"}, "bff-web"},
		{"no name of a service", []string{httpclient.CallerHeader, "Bff_Web"}, "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setUp(t, 0, &greeter{}, nil)
			b.send(t, "GET", "/v1/greetings/abc", "", c.headers...)
			b.metrics(t, fmt.Sprintf(`
# HELP http_requests_total %s
# TYPE http_requests_total counter
http_requests_total{caller="%s",method="GET",operation="getGreeting",status="200"} 1
`, metric.HTTPRequests.Help, c.want), "http_requests_total")
		})
	}
}

func TestCallersAreBounded(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	for i := range 200 {
		b.send(t, "GET", "/v1/greetings/abc", "", httpclient.CallerHeader, fmt.Sprintf("caller-%d", i))
	}
	if counted, other := callers(t, b.tel); counted != 63 || other != 200-62 {
		t.Errorf("%d callers, %v requests of others: want 63 with the others, and 138", counted, other)
	}
}

// callers gives how many callers there are in the metrics, and how many requests are of the others.
func callers(t *testing.T, tel *telemetry.Telemetry) (n int, other float64) {
	t.Helper()
	families, err := tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != metric.HTTPRequests.Name {
			continue
		}
		for _, m := range family.GetMetric() {
			n++
			for _, label := range m.GetLabel() {
				if label.GetName() == "caller" && label.GetValue() == "other" {
					other = m.GetCounter().GetValue()
				}
			}
		}
	}
	return n, other
}
