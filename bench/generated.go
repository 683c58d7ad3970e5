package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
)

// The names of the generated service when the collector gets its log records as well, and without metrics and traces.
const (
	recorded  = "generated, logs sent"
	unwatched = "generated, unwatched"
)

// generatedService scaffolds the service thing into a copy of the platform, builds it as it is, and returns it as a contestant.
func generatedService(ctx context.Context, s *scratchTree) (contestant, error) {
	root, err := s.copyPlatform("platform")
	if err != nil {
		return contestant{}, err
	}
	if err := command(ctx, root, s.scaffold, "new", "thing"); err != nil {
		return contestant{}, err
	}
	binary := filepath.Join(s.dir, "server-thing")
	if err := build(ctx, root, "./services/thing", binary); err != nil {
		return contestant{}, err
	}
	return contestant{
		name: "generated service", binary: binary, service: "thing", counter: "http_requests_total",
		ready: "/health/ready", metrics: "/metrics", admin: true, command: environment, seed: create,
	}, nil
}

func environment(addr, admin, otlp string) (args, env []string) {
	return nil, []string{
		"APP_HTTP_ADDR=" + addr, "APP_ADMIN_ADDR=" + admin, "APP_TELEMETRY_ENDPOINT=http://" + otlp,
		"APP_TELEMETRY_RATIO=" + strconv.FormatFloat(ratio, 'g', -1, 64), "APP_SHUTDOWN_DELAY=0s",
		"APP_TELEMETRY_LOGS=false", // as the others, it writes its log to the standard output
	}
}

// withRecords is the same program, told to send its log to the collector as well, as it does unless it is told not to.
func (c contestant) withRecords() contestant {
	c = c.also("APP_TELEMETRY_LOGS=true")
	c.name, c.records = recorded, true
	return c
}

// withoutTelemetry is the same program, told to measure and trace nothing; its log stays.
func (c contestant) withoutTelemetry() contestant {
	c = c.also("APP_TELEMETRY_ENDPOINT=", "APP_TELEMETRY_RATIO=0", "APP_TELEMETRY_METRICS=false")
	c.name, c.service, c.off = unwatched, "", true
	return c
}

// also is the same program with more in its environment, which goes before what was there.
func (c contestant) also(more ...string) contestant {
	before := c.command
	c.command = func(addr, admin, otlp string) (args, env []string) {
		args, env = before(addr, admin, otlp)
		return args, append(env, more...)
	}
	return c
}

// create makes a thing by the service's own operation.
func create(ctx context.Context, addr string) (string, error) {
	body := strings.NewReader(`{"name":"first"}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/v1/things", body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var made struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusCreated || made.ID == "" {
		return "", fmt.Errorf("POST /v1/things: %s", resp.Status)
	}
	return made.ID, nil
}
