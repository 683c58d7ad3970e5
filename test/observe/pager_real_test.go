//go:build real

package observe

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// pager is whom Alertmanager tells.
type pager struct {
	URL string

	mu    sync.Mutex
	calls []page
}

// page is one message about a group of alerts.
type page struct {
	Status, Receiver string
	Alerts           []struct {
		Status string
		Labels map[string]string
	}
}

func newPager(t *testing.T) *pager {
	t.Helper()
	p := &pager{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call page
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.calls = append(p.calls, call)
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// taken gives the messages so far.
func (p *pager) taken() []page {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// receive has all receivers of Alertmanager tell the pager, without waiting long for more alerts.
func (p *pager) receive(config map[string]any) {
	hurry(config["route"].(map[string]any))
	for _, each := range config["receivers"].([]any) {
		receiver := each.(map[string]any)
		maps.DeleteFunc(receiver, func(key string, _ any) bool { return key != "name" })
		receiver["webhook_configs"] = []any{map[string]any{"url": p.URL, "send_resolved": false}}
	}
}

// hurry shortens how long a route and those below it wait for more of a group; how long until it is told again stays.
func hurry(route map[string]any) {
	for _, key := range []string{"group_wait", "group_interval"} {
		if route[key] != nil {
			route[key] = "1s"
		}
	}
	routes, _ := route["routes"].([]any)
	for _, each := range routes {
		hurry(each.(map[string]any))
	}
}
