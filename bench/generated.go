package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/trellis-mesh/trellis/bench/server/thing"
)

// generatedService scaffolds the service thing into a copy of the platform, tightens its contract by the rule that every
// server follows, builds it, and returns it as a contestant.
func generatedService(ctx context.Context, s *scratchTree) (contestant, error) {
	root, err := s.copyPlatform("platform")
	if err != nil {
		return contestant{}, err
	}
	if err := command(ctx, root, s.scaffold, "new", "thing"); err != nil {
		return contestant{}, err
	}
	if err := tighten(filepath.Join(root, "services", "thing", "api", "openapi.yaml")); err != nil {
		return contestant{}, err
	}
	if err := command(ctx, root, s.scaffold, "sync", "thing"); err != nil {
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

// tighten gives the identifier's schema in the path parameter a length and a pattern, as a person would by editing it.
func tighten(contract string) error {
	text, err := os.ReadFile(contract)
	if err != nil {
		return err
	}
	const plain = "in: path"
	at := bytes.Index(text, []byte(plain))
	if at < 0 {
		return fmt.Errorf("%s has no path parameter", contract)
	}
	rest := string(text[at:])
	rule := fmt.Sprintf("schema: {type: string, minLength: 1, maxLength: %d, pattern: '%s'}", thing.MaxLength, thing.Pattern)
	for _, schema := range []string{"schema: {type: string}", "schema: { type: string }"} {
		if strings.Contains(rest, schema) {
			rest = strings.Replace(rest, schema, rule, 1)
			return os.WriteFile(contract, append(text[:at:at], rest...), 0o600)
		}
	}
	return fmt.Errorf("%s: the path parameter's schema is not a plain string", contract)
}

func environment(addr, admin, otlp string) (args, env []string) {
	return nil, []string{
		"APP_HTTP_ADDR=" + addr, "APP_ADMIN_ADDR=" + admin, "APP_TELEMETRY_ENDPOINT=http://" + otlp,
		"APP_TELEMETRY_RATIO=" + strconv.FormatFloat(ratio, 'g', -1, 64), "APP_SHUTDOWN_DELAY=0s",
	}
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
