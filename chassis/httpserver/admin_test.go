package httpserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
)

// administered gives the admin server beside an API server.
func administered(t *testing.T) (api, admin *bench) {
	t.Helper()
	api = setUp(t, 1, &greeter{}, nil)
	server, err := httpserver.NewAdmin(httpserver.Options{Addr: "127.0.0.1:0", Telemetry: api.tel, Health: api.health, Fault: api.faults})
	if err != nil {
		t.Fatal(err)
	}
	both := *api
	both.Server = server
	return api, &both
}

func TestMetricsCarryExemplars(t *testing.T) {
	api, admin := administered(t)
	api.send(t, "GET", "/v1/greetings/abc", "", "Traceparent", recordedBy)
	w := admin.send(t, "GET", "/metrics", "", "Accept", "application/openmetrics-text; version=1.0.0")
	text := w.Body.String()
	for _, want := range []string{
		`http_requests_total{caller="unknown",method="GET",operation="getGreeting",status="200"} 1`, `trace_id="` + parentTrace + `"`, "active_connections 0", "go_goroutines", "# EOF",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if w := admin.send(t, "GET", "/metrics", ""); !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Error(w.Header())
	}
}

func TestLogLevelIsShownAndChanged(t *testing.T) {
	api, admin := administered(t)
	for _, step := range []struct {
		method, body string
		status       int
		answer       string
	}{
		{"GET", "", 200, `{"level":"INFO"}`},
		{"PUT", `{"level":"debug"}`, 200, `{"level":"DEBUG"}`},
		{"PUT", "warn\n", 200, `{"level":"WARN"}`},
		{"GET", "", 200, `{"level":"WARN"}`},
		{"PUT", "loud", 422, "unknown_level"},
		{"PUT", "{", 400, "malformed_body"},
		{"PUT", "", 422, "unknown_level"},
		{"GET", "", 200, `{"level":"WARN"}`},
	} {
		w := admin.send(t, step.method, "/log/level", step.body)
		if w.Code != step.status || !strings.Contains(w.Body.String(), step.answer) {
			t.Errorf("%s %q: %d %s", step.method, step.body, w.Code, w.Body)
		}
	}
	api.tel.Log.Info("quiet")
	if lines := api.log.lines(t, "quiet"); len(lines) != 0 {
		t.Error("the level is not in force")
	}
}

func TestFaultsAreSetThroughTheAdminPort(t *testing.T) {
	api, admin := administered(t)
	if w := admin.send(t, "PUT", "/fault", `{"error":503}`); w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	if w := api.send(t, "GET", "/v1/greetings/abc", ""); w.Code != 503 {
		t.Error(w.Code)
	}
	for _, path := range []string{"/metrics", "/health/ready", "/build"} {
		if w := admin.send(t, "GET", path, ""); w.Code != 200 {
			t.Error(path, w.Code)
		}
	}
	if w := admin.send(t, "DELETE", "/fault", ""); w.Code != 204 {
		t.Error(w.Code)
	}
	if w := api.send(t, "GET", "/v1/greetings/abc", ""); w.Code != 200 {
		t.Error(w.Code)
	}
}

func TestAdminServesHealthProfilesAndBuild(t *testing.T) {
	_, admin := administered(t)
	for path, want := range map[string]string{
		"/health/live":              `{"status":"UP"}`,
		"/health/ready":             `{"status":"UP"}`,
		"/debug/pprof/":             "heap",
		"/debug/pprof/goroutine":    "",
		"/debug/pprof/cmdline":      "httpserver",
		"/debug/pprof/heap?debug=1": "heap profile",
	} {
		if w := admin.send(t, "GET", path, ""); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %.100s", path, w.Code, w.Body)
		}
	}
	var build struct{ Service, Version, Go string }
	if err := json.Unmarshal(admin.send(t, "GET", "/build", "").Body.Bytes(), &build); err != nil || build.Service != "greeter" || build.Version != "1" || build.Go == "" {
		t.Error(err, build)
	}
}

func TestAdminAnswersProblems(t *testing.T) {
	_, admin := administered(t)
	for target, want := range map[string]int{"/none": 404, "/metrics/": 404} {
		if w := admin.send(t, "GET", target, ""); w.Code != want {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	if w := admin.send(t, "DELETE", "/metrics", ""); w.Code != 405 {
		t.Error(w.Code)
	}
	if w := admin.send(t, "PUT", "/log/level", strings.Repeat("x", 2<<20)); w.Code != http.StatusRequestEntityTooLarge {
		t.Error(w.Code)
	}
}
