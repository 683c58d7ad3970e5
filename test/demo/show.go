package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/local/otlp"
)

// show sends greeter a request and prints what can be seen of it.
func (d *demo) show(platform *local.Platform) error {
	greeter := platform.Service("greeter")
	d.step("Health")
	for _, path := range []string{"/health/live", "/health/ready"} {
		if _, err := d.call(http.MethodGet, greeter.URL+path, nil); err != nil {
			return err
		}
	}
	d.step("A token, since catalog's contract asks who adds a product")
	fmt.Fprintf(d.out, "$ %s\n", platform.TokenCommand())
	token, err := platform.Token(d.ctx)
	if err != nil {
		return err
	}
	d.token = token
	d.step("A product in catalog, and a greeting that names it")
	product, err := d.call(http.MethodPost, platform.Service("catalog").URL+"/v1/products",
		map[string]any{"sku": "demo-1", "name": "Trellis", "price": map[string]string{"amount": "12.50", "currency": "EUR"}})
	if err != nil {
		return err
	}
	greeting, err := d.call(http.MethodPost, greeter.URL+"/v1/greetings",
		map[string]any{"name": "hello", "productId": product["id"]})
	if err != nil {
		return err
	}
	if _, err := d.call(http.MethodGet, fmt.Sprintf("%s/v1/greetings/%s", greeter.URL, greeting["id"]), nil); err != nil {
		return err
	}
	if err := d.metrics(greeter); err != nil {
		return err
	}
	return d.trace(platform)
}

// call sends a JSON request, prints it and its answer, and returns the answer. Any other status than 2xx is an error.
func (d *demo) call(method, url string, body any) (map[string]any, error) {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(d.ctx, method, url, bytes.NewReader(sent))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("send the request: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", method, url, err)
	}
	fmt.Fprintf(d.out, "%s %s %s\n  %d %s\n", method, url, sent, resp.StatusCode, bytes.TrimSpace(answer))
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s answered %s", method, url, resp.Status)
	}
	var fields map[string]any
	if err := json.Unmarshal(answer, &fields); err != nil {
		return nil, fmt.Errorf("%s %s: decode the answer: %w", method, url, err)
	}
	return fields, nil
}

// metrics prints the counter and a quantile of the latency from the service's own /metrics.
func (d *demo) metrics(s local.Service) error {
	d.step("Metrics of " + s.Name)
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, s.Admin+"/metrics", nil)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("scrape %s: %w", s.Name, err)
	}
	defer func() { _ = resp.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return fmt.Errorf("parse the metrics of %s: %w", s.Name, err)
	}
	requests, seconds := families["http_requests_total"], families["http_request_duration_seconds"]
	if requests == nil || seconds == nil {
		return errors.New("greeter measures no requests: http_requests_total or http_request_duration_seconds is missing")
	}
	for _, m := range requests.Metric {
		fmt.Fprintf(d.out, "http_requests_total{%s} %g\n", labels(m), m.Counter.GetValue())
	}
	for _, m := range seconds.Metric {
		if m.Histogram.GetSampleCount() == 0 { // an operation that nobody called
			continue
		}
		fmt.Fprintf(d.out, "http_request_duration_seconds{%s} p99 ≤ %s (of %d)\n",
			labels(m), time.Duration(quantile(0.99, m.Histogram)*float64(time.Second)), m.Histogram.GetSampleCount())
	}
	return nil
}

func labels(m *dto.Metric) string {
	var pairs []string
	for _, l := range m.Label {
		pairs = append(pairs, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	return strings.Join(pairs, ",")
}

// quantile is the upper bound, in the histogram's unit, of the bucket that the quantile falls into.
func quantile(q float64, h *dto.Histogram) float64 {
	rank := q * float64(h.GetSampleCount())
	for _, b := range h.Bucket {
		if float64(b.GetCumulativeCount()) >= rank {
			return b.GetUpperBound()
		}
	}
	return 0
}

// trace waits until the greeting's trace has come to the consumer, and draws it.
func (d *demo) trace(platform *local.Platform) error {
	d.step("One trace: greeter → catalog, and through the outbox and Kafka to orders")
	ctx, cancel := context.WithTimeout(d.ctx, 30*time.Second)
	defer cancel()
	trace, err := platform.Traces().Wait(ctx, whole)
	if err != nil {
		return fmt.Errorf("no trace from greeter over catalog to the consumer in orders: %w", err)
	}
	fmt.Fprint(d.out, trace.Tree())
	return nil
}

// whole reports whether a trace has all that the demo promises to show.
func whole(t otlp.Trace) bool {
	consumed := slices.ContainsFunc(t.Spans, func(s otlp.Span) bool { return s.Service == "orders" && s.Kind == "consumer" })
	served := slices.ContainsFunc(t.Spans, func(s otlp.Span) bool {
		return s.Service == "greeter" && s.Kind == "server" && strings.Contains(s.Name, "greeting")
	})
	return consumed && served && t.Service("catalog")
}
