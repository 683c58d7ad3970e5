//go:build real

package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/trellis-mesh/trellis/internal/local/otlp"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/test/market"
)

// stored is a trace as Jaeger answers it.
type stored struct {
	TraceID string
	Spans   []struct {
		SpanID, OperationName, ProcessID string
		References                       []struct{ TraceID, SpanID string }
		Tags                             []struct {
			Key   string
			Value any
		}
	}
	Processes map[string]struct{ ServiceName string }
}

func (s stored) services() []string {
	names := map[string]bool{}
	for _, p := range s.Processes {
		names[p.ServiceName] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// edge is that a service called another one, or that it took what the other one had published.
type edge struct {
	from, to string
	event    bool
}

func (e edge) String() string {
	if e.event {
		return e.from + " ~> " + e.to
	}
	return e.from + " -> " + e.to
}

// edges are those between services in a trace: from the service of a span to that of its child.
func (s stored) edges() map[edge]bool {
	of := map[string]string{}
	for _, span := range s.Spans {
		of[span.SpanID] = s.Processes[span.ProcessID].ServiceName
	}
	found := map[edge]bool{}
	for _, span := range s.Spans {
		kind := ""
		for _, tag := range span.Tags {
			if tag.Key == "span.kind" {
				kind, _ = tag.Value.(string)
			}
		}
		for _, parent := range span.References {
			from, to := of[parent.SpanID], of[span.SpanID]
			if from != "" && from != to {
				found[edge{from, to, kind == "consumer"}] = true
			}
		}
	}
	return found
}

// sentEdges are those of all spans that the services have sent, as far as both ends did; with the traces that they are in.
func sentEdges(traces []otlp.Trace) map[edge][]string {
	found := map[edge][]string{}
	for _, trace := range traces {
		of := map[string]string{}
		for _, span := range trace.Spans {
			of[span.ID] = span.Service
		}
		for _, span := range trace.Spans {
			if from := of[span.Parent]; from != "" && from != span.Service {
				e := edge{from, span.Service, span.Kind == "consumer"}
				found[e] = append(found[e], trace.ID)
			}
		}
	}
	return found
}

// declared are the edges that the services' declarations allow.
func declared(m *spec.Model) map[edge]bool {
	all := map[edge]bool{}
	for _, s := range m.Services {
		for callee := range s.Calls {
			all[edge{s.Name, callee, false}] = true
		}
		for _, consumed := range s.Events.Consumes {
			for _, publisher := range m.Services {
				if slices.Contains(publisher.Events.Publishes, consumed) {
					all[edge{publisher.Name, s.Name, true}] = true
				}
			}
		}
	}
	return all
}

// trace asks Jaeger for a trace; it is an error when there is none.
func (w *watched) trace(ctx context.Context, id string) (stored, error) {
	var answer struct{ Data []stored }
	if err := ask(ctx, w.jaeger.URL+"/api/traces/"+id, nil, &answer); err != nil {
		return stored{}, err
	}
	if len(answer.Data) != 1 || len(answer.Data[0].Spans) == 0 {
		return stored{}, fmt.Errorf("Jaeger has no trace %s", id)
	}
	return answer.Data[0], nil
}

// anOrderIsOneTrace places an order through the gateway, and wants it as one trace, from the request to the last who is told of it.
func (w *watched) anOrderIsOneTrace(t *testing.T, p *party) {
	w.fault(t, "orders", slowOrder) // so that the trace is kept
	id, order := w.placed(t, p)
	w.fault(t, "orders", "")
	t.Logf("order %s is trace %s", order, id)
	waitFor(t, time.Minute, "the trace of an order", func(ctx context.Context) error {
		trace, err := w.trace(ctx, id)
		if err != nil {
			return err
		}
		var events int
		for e := range trace.edges() {
			if e.event {
				events++
			}
		}
		if services := trace.services(); len(services) < 7 || events == 0 {
			return fmt.Errorf("it has %d spans of %v, and %d hops over Kafka", len(trace.Spans), services, events)
		}
		return nil
	})
	trace, err := w.trace(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, e := range slices.SortedFunc(maps.Keys(trace.edges()), func(a, b edge) int { return strings.Compare(a.String(), b.String()) }) {
		fmt.Fprintln(&text, " ", e)
	}
	show(t, fmt.Sprintf("One order: %d spans of %d services in one trace", len(trace.Spans), len(trace.services())), text.String())
}

// placed gives the id of a trace that is begun by a client, and the order placed in it, which is paid by card. The client asks for the trace to be recorded; whether
// it is kept is decided by the collector.
func (w *watched) placed(t *testing.T, p *party) (trace, order string) {
	t.Helper()
	trace = strings.ReplaceAll(uuid.NewString(), "-", "")
	header := http.Header{"Traceparent": {"00-" + trace + "-00f067aa0ba902b7-01"}, "Idempotency-Key": {uuid.NewString()}}
	body := fmt.Sprintf(`{"customerId":%q,"items":[{"productId":%q,"quantity":1}],"paymentMethod":%q}`, p.people[0].ID, p.products[1], w.card(t, p.people[0], market.GoodCard))
	status, answer, err := w.call(t.Context(), "POST", w.Service("gateway").URL+"/api/orders", header, body)
	if err != nil || status != http.StatusCreated {
		t.Fatalf("place an order: %d %s %v", status, answer, err)
	}
	var made struct{ ID string }
	if err := json.Unmarshal(answer, &made); err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, "the order", func(ctx context.Context) error {
		_, answer, err := w.call(ctx, "GET", w.Service("gateway").URL+"/api/orders/"+made.ID, nil, "")
		if err == nil && !strings.Contains(string(answer), `"completed"`) {
			err = errors.New(string(answer))
		}
		return err
	})
	return trace, made.ID
}

// edgesAreDeclared compares what the services' spans say of who called whom with what is declared, and with what the services count.
func (w *watched) edgesAreDeclared(t *testing.T) {
	allowed := declared(w.model)
	sent := sentEdges(w.sent.spans.List("", 0))
	kept := map[edge]bool{}
	for _, s := range w.model.Services {
		var answer struct{ Data []stored }
		if err := ask(t.Context(), w.jaeger.URL+"/api/traces", url.Values{"service": {s.Name}, "limit": {"2000"}, "lookback": {"1h"}}, &answer); err != nil {
			t.Fatal(err)
		}
		for _, trace := range answer.Data {
			maps.Copy(kept, trace.edges())
		}
	}
	for e := range sent {
		if !allowed[e] {
			t.Errorf("%s is not declared, and there are spans of it in the traces %v", e, sent[e])
		}
	}
	for e := range kept {
		if !allowed[e] {
			t.Errorf("%s is not declared, and Jaeger has it", e)
		}
	}
	counted := w.counted(t)
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  declared\tcounted\tin spans\tin Jaeger")
	for _, e := range slices.SortedFunc(maps.Keys(allowed), func(a, b edge) int { return strings.Compare(a.String(), b.String()) }) {
		fmt.Fprintf(table, "  %s\t%.0f\t%d\t%v\n", e, counted[e], len(sent[e]), kept[e])
		if e.event || counted[e] > 0 {
			if len(sent[e]) == 0 {
				t.Errorf("%s was counted %.0f times, and no span tells of it", e, counted[e])
			}
			if !kept[e] {
				t.Errorf("Jaeger does not have %s, which is in the traces %v", e, sent[e])
			}
		} else {
			t.Errorf("nobody has made use of %s in the play", e)
		}
	}
	_ = table.Flush()
	show(t, "Who calls whom (->), and who takes what another has published (~>)", text.String())
}

// counted are the calls that the services have counted themselves, in Prometheus.
func (w *watched) counted(t *testing.T) map[edge]float64 {
	t.Helper()
	found := map[edge]float64{}
	for _, s := range w.query(t, `sum by (service, callee) (http_client_requests_total)`) {
		found[edge{s.Metric["service"], s.Metric["callee"], false}] = s.value()
	}
	return found
}
