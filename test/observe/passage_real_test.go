//go:build real

package observe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// spansOfTrace are sent of each trace, one by the first collector, the next by the second, and so on.
const spansOfTrace = 6

// What makes a trace worth keeping, or not.
const (
	failed = "with an error"
	slow   = "over the SLO"
	plain  = "plain"
)

// passing is a trace that is sent.
type passing struct {
	id, kind string
	marked   int // the span that says what kind it is
}

// traces are some of each kind, of which any span may be the one that says so.
func traces(name string) (all []passing) {
	for i, kind := range slices.Repeat([]string{failed, slow, plain}, 20) {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, i))
		all = append(all, passing{hex.EncodeToString(sum[:16]), kind, i / 3 % spansOfTrace})
	}
	return all
}

// TestSpansPassByKafkaAndStay runs what production has between the services and Jaeger's store: two collectors, Kafka, and a Jaeger with a
// disk, which is killed, is away while spans come, and starts again with these to read. Their configurations are those of the component,
// with other addresses.
func TestSpansPassByKafkaAndStay(t *testing.T) {
	began := time.Now()
	p := newPassage(t)
	first, second, third := traces("first"), traces("second"), traces("third")

	t.Run("a Jaeger that keeps none of the rest", func(t *testing.T) {
		p.startJaeger(t, 0)
		p.send(t, first)
		// It decides seconds after it has read, and says once in a second how far it has read: what it will read again when it is killed
		// now was never decided on.
		p.decides(t, len(first), len(first)/3)
		p.keeps(t, first, failed, slow)
		p.keepsNot(t, first, plain)
	})
	t.Run("Kafka has each trace in one partition", func(t *testing.T) { p.partitionsAreOfTraces(t, first) })
	t.Run("records go on to Loki", p.recordsGoOn)

	p.send(t, second)
	waitFor(t, time.Minute, "the spans in Kafka while Jaeger is away", func(ctx context.Context) error {
		_, n, err := p.inKafka(ctx)
		if want := (len(first) + len(second)) * spansOfTrace; err == nil && n != want {
			err = fmt.Errorf("there are %d, want %d", n, want)
		}
		return err
	})
	t.Run("a Jaeger that was away", func(t *testing.T) {
		p.startJaeger(t, 0)
		p.decides(t, len(second), len(second)/3)
		p.keeps(t, second, failed, slow)
		p.keepsNot(t, second, plain)
		p.keeps(t, first, failed, slow) // since before it was killed
		p.keepsNot(t, first, plain)
	})
	t.Run("a Jaeger that keeps all", func(t *testing.T) {
		p.startJaeger(t, 100)
		p.send(t, third)
		p.decides(t, len(third), 0)
		p.keeps(t, third, failed, slow, plain)
	})
	all := len(first) + len(second) + len(third)
	t.Run("what is counted", func(t *testing.T) { p.countsAll(t, all*spansOfTrace) })
	show(t, fmt.Sprintf("Spans by Kafka: %d traces of %d spans in turns by two collectors; all that matter are whole, also those that came while Jaeger was away; %s",
		all, spansOfTrace, time.Since(began).Round(time.Second)), "")
}

// send sends traces, so that no collector gets the whole of any.
func (p *passage) send(t *testing.T, all []passing) {
	t.Helper()
	now := time.Now()
	for _, trace := range all {
		for turn := range p.collectors {
			var spans []any
			for i := turn; i < spansOfTrace; i += len(p.collectors) {
				spans = append(spans, trace.span(i, now))
			}
			p.post(t, turn, spans...)
		}
	}
}

// span is one of a trace, as OTLP has it in JSON.
func (s passing) span(i int, now time.Time) map[string]any {
	span := map[string]any{
		"traceId": s.id, "spanId": fmt.Sprintf("%016x", i+1), "name": fmt.Sprintf("step %d", i), "kind": 2,
		"startTimeUnixNano": fmt.Sprint(now.UnixNano()), "endTimeUnixNano": fmt.Sprint(now.Add(time.Millisecond).UnixNano()),
	}
	if i > 0 {
		span["parentSpanId"] = fmt.Sprintf("%016x", i)
	}
	switch {
	case i != s.marked:
	case s.kind == failed:
		span["status"] = map[string]any{"code": 2}
	case s.kind == slow:
		span["attributes"] = []any{map[string]any{"key": "slo.exceeded", "value": map[string]any{"boolValue": true}}}
	}
	return span
}

// decides waits until Jaeger has decided on so many traces, and wants it to have dropped so many of them.
func (p *passage) decides(t *testing.T, all, dropped int) {
	t.Helper()
	const name = "otelcol_processor_tail_sampling_global_count_traces_sampled_total"
	waitFor(t, time.Minute, "the decisions", func(ctx context.Context) error {
		kept, err := total(ctx, p.metrics, name, `sampled="true"`)
		if err != nil {
			return err
		}
		not, err := total(ctx, p.metrics, name, `sampled="false"`)
		if err == nil && int(kept) != all-dropped || int(not) != dropped {
			err = fmt.Errorf("it keeps %g traces and drops %g, want %d and %d", kept, not, all-dropped, dropped)
		}
		return err
	})
}

// keeps wants the traces of some kinds to be whole.
func (p *passage) keeps(t *testing.T, all []passing, kinds ...string) {
	t.Helper()
	for _, trace := range all {
		if !slices.Contains(kinds, trace.kind) {
			continue
		}
		waitFor(t, 20*time.Second, "a trace "+trace.kind, func(ctx context.Context) error {
			found, err := p.jaeger.trace(ctx, trace.id)
			if err != nil {
				return err
			}
			ids := map[string]bool{}
			for _, span := range found.Spans {
				ids[span.SpanID] = true
			}
			if len(ids) != spansOfTrace {
				return fmt.Errorf("%s has %d spans, want %d", trace.id, len(ids), spansOfTrace)
			}
			return nil
		})
	}
}

// keepsNot wants none of a kind.
func (p *passage) keepsNot(t *testing.T, all []passing, kind string) {
	t.Helper()
	for _, trace := range all {
		if trace.kind != kind {
			continue
		}
		if _, err := p.jaeger.trace(t.Context(), trace.id); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("a trace that is %s: %v, want 404", kind, err)
		}
	}
}

// partitionsAreOfTraces wants every record to be of one trace, and all of a trace in one partition: so would another Jaeger of the group
// get the whole of it.
func (p *passage) partitionsAreOfTraces(t *testing.T, all []passing) {
	records, _, err := p.inKafka(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	used := map[int]bool{}
	for _, trace := range all {
		spans := 0
		for partition, n := range records[trace.id] {
			used[partition] = true
			spans += n
		}
		if len(records[trace.id]) != 1 || spans != spansOfTrace {
			t.Errorf("the spans of %s by partition are %v", trace.id, records[trace.id])
		}
	}
	if len(records) != len(all) || len(used) < 2 {
		t.Errorf("%d traces are in %d partitions, want %d in several", len(records), len(used), len(all))
	}
}

// countsAll wants the collectors together to have counted every span, those of traces that are not kept as well, and each its part.
func (p *passage) countsAll(t *testing.T, spans int) {
	waitFor(t, time.Minute, "the counted spans", func(ctx context.Context) error {
		sum := 0
		for i, c := range p.collectors {
			n, err := total(ctx, c.spanMetrics, "traces_span_metrics_calls_total", `service_name="orders"`)
			if err != nil {
				return err
			}
			if int(n) != spans/len(p.collectors) {
				return fmt.Errorf("collector %d has counted %g spans, want %d", i, n, spans/len(p.collectors))
			}
			sum += int(n)
		}
		if sum != spans {
			return fmt.Errorf("%d spans were counted, want %d", sum, spans)
		}
		return nil
	})
}

// recordsGoOn sends a log record to each collector, and wants Loki to get as many requests.
func (p *passage) recordsGoOn(t *testing.T) {
	for i := range p.collectors {
		record := map[string]any{"timeUnixNano": fmt.Sprint(time.Now().UnixNano()), "body": map[string]any{"stringValue": "an order came"}}
		p.export(t, i, "/v1/logs", map[string]any{"resourceLogs": []any{map[string]any{"scopeLogs": []any{map[string]any{"logRecords": []any{record}}}}}})
	}
	for range p.collectors {
		select {
		case path := <-p.loki:
			if path != "/otlp/v1/logs" {
				t.Errorf("Loki was asked for %s", path)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("a record has not come to Loki within 30 s")
		}
	}
}
