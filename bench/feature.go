package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/trellis-mesh/trellis/bench/server/thing"
	"github.com/trellis-mesh/trellis/bench/sink"
)

// proofs is how many requests show that a feature is on.
const proofs = 1000

// proveFeatures starts the server once, sends requests, stops it and looks for what they must have left: the answer's
// shape, a refusal of a wrong parameter, a count, a log line each, and the share of spans. The baseline only answers.
func proveFeatures(ctx context.Context, c contestant, collector *sink.Sink) error {
	log, err := os.CreateTemp("", "trellis-bench-log-")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	spans, records := collector.Spans()[c.service], collector.Records()[c.service]
	r, err := c.start(ctx, collector.Addr, -1, log)
	if err != nil {
		return err
	}
	if err := errors.Join(r.answers(ctx), r.refuses(ctx), r.counts(ctx), r.Stop()); err != nil {
		return err
	}
	if c.service == "" {
		return nil
	}
	spans = collector.Spans()[c.service] - spans
	if low, high := proofs*ratio/2, proofs*ratio*2; float64(spans) < low || float64(spans) > high {
		return fmt.Errorf("traces: %d spans of %q arrived for %d requests, want about %g", spans, c.service, proofs, proofs*ratio)
	}
	records = collector.Records()[c.service] - records
	if c.records && records < proofs || !c.records && records > 0 {
		return fmt.Errorf("log records: %d of %q arrived for %d requests", records, c.service, proofs)
	}
	return logged(log)
}

// answers sends the requests and checks the first body's members, so that every server does the same work.
func (r *running) answers(ctx context.Context) error {
	for i := range proofs {
		status, body, err := get(ctx, "http://"+r.addr+r.path)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return fmt.Errorf("GET %s: %d %s", r.path, status, body)
		}
		var answer map[string]any
		if err := json.Unmarshal(body, &answer); err != nil {
			return err
		}
		if _, ok := answer["id"]; !ok || i == 0 && len(answer) != 3 {
			return fmt.Errorf("GET %s: want id, name and createdAt, got %s", r.path, body)
		}
	}
	return nil
}

// refuses asks for an identifier that the contract does not allow.
func (r *running) refuses(ctx context.Context) error {
	if r.service == "" {
		return nil
	}
	status, body, err := get(ctx, "http://"+r.addr+"/v1/things/"+strings.Repeat("x", thing.MaxLength+1))
	if err == nil && status != http.StatusBadRequest && status != http.StatusUnprocessableEntity {
		err = fmt.Errorf("validation: a wrong identifier was answered with %d %s", status, body)
	}
	return err
}

// counts sums up the request counter.
func (r *running) counts(ctx context.Context) error {
	if r.counter == "" {
		return nil
	}
	_, body, err := get(ctx, r.metricsURL())
	if err != nil {
		return err
	}
	sum := 0.0
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, r.counter) {
			continue
		}
		fields := strings.Fields(line)
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return fmt.Errorf("metrics: %q: %w", line, err)
		}
		sum += value
	}
	if r.off {
		if sum > 0 {
			return fmt.Errorf("metrics: %s sums up to %g, and they should be off", r.counter, sum)
		}
		return nil
	}
	if sum < proofs {
		return fmt.Errorf("metrics: %s sums up to %g after %d requests", r.counter, sum, proofs)
	}
	return nil
}

// logged checks that every request left a line of JSON.
func logged(log *os.File) error {
	if _, err := log.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines := 0
	scanner := bufio.NewScanner(log)
	for scanner.Scan() {
		if strings.Contains(scanner.Text(), "thing") && json.Valid(scanner.Bytes()) {
			lines++
		}
	}
	if lines < proofs {
		return fmt.Errorf("access log: %d lines of JSON after %d requests", lines, proofs)
	}
	return scanner.Err()
}

func get(ctx context.Context, url string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}
