package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/trellis-mesh/trellis/bench/proc"
	"github.com/trellis-mesh/trellis/bench/server/thing"
)

// ratio is the share of traces that every server keeps; it is the platform's default.
const ratio = 0.1

// contestant is a server of the comparison.
type contestant struct {
	name    string
	binary  string
	service string // service.name of its spans; empty when it sends none
	counter string // its request counter; empty when it has none
	ready   string // path of its readiness, or of any answer that shows that it serves
	admin   bool   // the readiness and the metrics are on the second listener
	off     bool   // it must count nothing
	records bool   // the collector gets its log records, too
	metrics string
	// command gives the arguments and the environment for addresses of the API, the admin port and the sink.
	command func(addr, admin, otlp string) (args, env []string)
	// seed makes the thing that is asked for and returns its identifier.
	seed func(ctx context.Context, addr string) (id string, err error)
}

func flags(addr, admin, otlp string) (args, env []string) {
	return []string{"-addr", addr, "-admin", admin, "-otlp", otlp, "-ratio", strconv.FormatFloat(ratio, 'g', -1, 64)}, nil
}

func seeded(context.Context, string) (string, error) { return thing.SeedID, nil }

// contestants builds every server and returns them: the baseline first, then the one under test; the same with more and with less telemetry last.
func contestants(ctx context.Context, s *scratchTree) ([]contestant, error) {
	generated, err := generatedService(ctx, s)
	if err != nil {
		return nil, err
	}
	others, err := others(ctx, filepath.Join(s.root, "bench"), s.dir)
	if err != nil {
		return nil, err
	}
	all := append([]contestant{others[0], generated}, others[1:]...)
	return append(all, generated.withRecords(), generated.withoutTelemetry()), nil
}

// others builds the servers that a generated service is compared with from the source in dir; the first is the baseline.
func others(ctx context.Context, dir, out string) ([]contestant, error) {
	const path = "/v1/things/" + thing.SeedID
	all := []contestant{
		{name: "bare Gin", binary: "gin", ready: path},
		{
			name: "go-zero v1.10.3", binary: "gozero", service: "thing-go-zero", counter: "http_server_requests_code_total",
			ready: path, metrics: "/metrics", admin: true,
		},
		{
			name: "Kratos v2.8.3", binary: "kratos", service: "thing-kratos", counter: "server_requests_code_total",
			ready: path, metrics: "/metrics",
		},
	}
	for i := range all {
		c := &all[i]
		binary := filepath.Join(out, "server-"+c.binary)
		if err := build(ctx, dir, "./server/"+c.binary, binary); err != nil {
			return nil, err
		}
		c.binary, c.command, c.seed = binary, flags, seeded
	}
	return all, nil
}

// running is a contestant's process and its addresses.
type running struct {
	contestant
	*proc.Process
	addr, adminAddr string
	path            string // of the thing that is asked for
}

// launch starts the server and waits until it is ready.
func (c contestant) launch(ctx context.Context, otlp string, cpu int, stdout *os.File) (*running, error) {
	r := &running{contestant: c}
	var err error
	if r.addr, err = proc.FreeAddr(); err != nil {
		return nil, err
	}
	if r.adminAddr, err = proc.FreeAddr(); err != nil {
		return nil, err
	}
	args, env := c.command(r.addr, r.adminAddr, otlp)
	r.Process, err = proc.Start(ctx, proc.Command{
		Path: c.binary, Args: args, Env: env, Ready: "http://" + r.addr + c.ready, CPU: cpu, Stdout: stdout,
	})
	return r, err
}

// start launches the server and makes the thing that is asked for.
func (c contestant) start(ctx context.Context, otlp string, cpu int, stdout *os.File) (*running, error) {
	r, err := c.launch(ctx, otlp, cpu, stdout)
	if err != nil {
		return nil, err
	}
	id, err := c.seed(ctx, r.addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a thing: %w", err), r.Kill())
	}
	r.path = "/v1/things/" + id
	return r, nil
}

func (r *running) metricsURL() string {
	if r.admin {
		return "http://" + r.adminAddr + r.metrics
	}
	return "http://" + r.addr + r.metrics
}
