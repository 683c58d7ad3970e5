package proof

import (
	"net/http"
	"net/netip"
	"testing"
)

func proveGateway(t *testing.T, m *mesh, title string) {
	t.Helper()
	visits, err := m.visits()
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, v := range visits {
		if !v.ok() {
			t.Errorf("%s of %s with a token %s: %s", v.operation, v.service, v.token, v)
		}
		rows = append(rows, []string{v.service, v.operation, v.token, v.String()})
	}
	printTable(title, []string{"service", "operation", "token", "answer"}, rows)

	host := m.declared.Gateway.Hosts[0]
	t.Run("plain HTTP is sent to HTTPS", func(t *testing.T) {
		r := request{method: http.MethodGet, url: "http://" + host + "/v1/things", to: netip.AddrPortFrom(m.pods[gatewayPod].net.address, 80)}
		a := r.send(m.pods[strangerPod].http)
		if got := a.header.Get("Location"); a.status != http.StatusMovedPermanently || got != "https://"+host+"/v1/things" {
			t.Errorf("got %s, location %q, error %v", a, got, a.err)
		}
	})
	t.Run("another host is not served", func(t *testing.T) {
		client := m.visitor()
		defer client.CloseIdleConnections()
		if a := m.visit(client, "other.test", http.MethodGet, "/v1/products", ""); a.err == nil {
			t.Errorf("got %s", a)
		}
	})
}
