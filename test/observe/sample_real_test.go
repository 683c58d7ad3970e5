//go:build real

package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/internal/local/otlp"
)

// exemplarsLeadToTraces asks Jaeger for the trace of each exemplar that Prometheus has of the services' answers.
func (w *watched) exemplarsLeadToTraces(t *testing.T, until time.Time) {
	var answer struct {
		Data []struct {
			SeriesLabels map[string]string
			Exemplars    []struct {
				Labels map[string]string
				Value  string
			}
		}
	}
	query := url.Values{"query": {"http_request_duration_seconds_bucket"},
		"start": {strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)}, "end": {strconv.FormatInt(until.Unix(), 10)}}
	if err := ask(t.Context(), w.prometheus.URL+"/api/v1/query_exemplars", query, &answer); err != nil {
		t.Fatal(err)
	}
	by, missing, all := map[string]int{}, 0, 0
	for _, series := range answer.Data {
		for _, exemplar := range series.Exemplars {
			all++
			by[series.SeriesLabels["service"]]++
			trace, err := w.trace(t.Context(), exemplar.Labels["trace_id"])
			if err == nil && !slices.Contains(trace.services(), series.SeriesLabels["service"]) {
				err = fmt.Errorf("the trace has no span of it: %v", trace.services())
			}
			if err == nil {
				continue
			}
			if missing++; missing <= 10 {
				t.Errorf("exemplar of %s, %s s, of trace %s: %v", series.SeriesLabels["service"], exemplar.Value, exemplar.Labels["trace_id"], err)
			}
		}
	}
	if len(by) < len(w.model.Services) {
		t.Errorf("only %d services have exemplars: %v", len(by), by)
	}
	show(t, fmt.Sprintf("Exemplars: %d of %d services, %d without a trace in Jaeger", all, len(by), missing), "")
}

// logged is a line of a service's log.
type logged struct {
	Time                time.Time
	Level, Msg, Service string
	TraceID             string `json:"trace_id"`

	raw string
}

// errors are the lines of errors so far.
func (l *lines) errors() (found []logged) {
	for _, raw := range l.all() {
		line := logged{raw: raw}
		if json.Unmarshal([]byte(raw), &line) == nil && line.Level == "ERROR" {
			found = append(found, line)
		}
	}
	return found
}

// errorLinesLeadToTraces asks Jaeger for the trace of each line of an error, and Loki for the lines of that trace, among which must be
// this one.
func (w *watched) errorLinesLeadToTraces(t *testing.T, until time.Time) {
	type count struct{ lines, noTrace, noLine int }
	of, bare := map[string]*count{}, map[string]int{}
	all := slices.DeleteFunc(w.logs.errors(), func(line logged) bool { return line.Time.After(until) })
	if len(all) == 0 {
		t.Fatal("no service has logged an error, and faults were injected")
	}
	for _, line := range all {
		if line.TraceID == "" {
			bare[line.Service+": "+line.Msg]++
			continue
		}
		c := of[line.Service]
		if c == nil {
			c = &count{}
			of[line.Service] = c
		}
		c.lines++
		if _, err := w.trace(t.Context(), line.TraceID); err != nil {
			c.noTrace++
			t.Errorf("an error of %s: %v: %s", line.Service, err, line.raw)
		}
		if texts := w.linesOf(t, line.Service, line.TraceID); !slices.Contains(texts, line.Msg) {
			c.noLine++
			t.Errorf("Loki has, of %s in trace %s, %q, and not %s", line.Service, line.TraceID, texts, line.raw)
		}
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  service\tlines of errors\twithout a trace in Jaeger\twithout a line in Loki")
	for _, service := range slices.Sorted(maps.Keys(of)) {
		c := of[service]
		fmt.Fprintf(table, "  %s\t%d\t%d\t%d\n", service, c.lines, c.noTrace, c.noLine)
	}
	_ = table.Flush()
	for _, line := range slices.Sorted(maps.Keys(bare)) {
		fmt.Fprintf(&text, "  outside a trace: %d × %s\n", bare[line], line)
	}
	show(t, fmt.Sprintf("Error lines: %d", len(all)), text.String())
}

// linesOf gives the error lines that Loki has of a service in a trace.
func (w *watched) linesOf(t *testing.T, service, trace string) (texts []string) {
	t.Helper()
	query := url.Values{
		"query": {fmt.Sprintf(`{service_name=%q} | trace_id=%q | detected_level="error"`, service, trace)},
		"start": {strconv.FormatInt(time.Now().Add(-time.Hour).UnixNano(), 10)},
	}
	var answer struct {
		Data struct {
			Result []struct{ Values [][2]string }
		}
	}
	if err := ask(t.Context(), w.loki.URL+"/loki/api/v1/query_range", query, &answer); err != nil {
		t.Fatal(err)
	}
	for _, stream := range answer.Data.Result {
		for _, value := range stream.Values {
			texts = append(texts, value[1])
		}
	}
	return texts
}

// linked are traces that a graph or a line of a log leads to.
const linked = "led to by exemplars or error lines"

// kept says what part of its kind the collector keeps.
type kept struct {
	name       string
	sent, has  int
	low, high  int // how many it must have
	firstFault string
}

// samplingKeepsWhatItShould counts, of all traces that were sent, how many Jaeger has: all with an error, all with an answer slower than
// its service promises, and the configured share of the rest.
func (w *watched) samplingKeepsWhatItShould(t *testing.T, until time.Time) {
	share := samplingShare(t, configuration(t, "jaeger/config.yaml"))
	kinds := map[string]*kept{}
	for _, name := range []string{"with an error", "over the SLO", linked, "the rest"} {
		kinds[name] = &kept{name: name}
	}
	for _, trace := range w.sent.spans.List("", 0) {
		if trace.Summary().Start.After(until) {
			continue
		}
		k := kinds[w.kind(trace)]
		k.sent++
		if _, err := w.trace(t.Context(), trace.ID); err == nil {
			k.has++
		} else if k.firstFault == "" {
			k.firstFault = fmt.Sprintf("%v: %+v", err, trace.Summary())
		}
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  traces\tsent\tkept\tmust be kept")
	for _, name := range []string{"with an error", "over the SLO", linked, "the rest"} {
		k := kinds[name]
		k.low, k.high = k.sent, k.sent
		if name == "the rest" {
			// Four standard deviations of the binomial distribution: one run in 16000 is beyond by chance.
			mean, deviation := share*float64(k.sent), math.Sqrt(share*(1-share)*float64(k.sent))
			k.low, k.high = int(math.Floor(mean-4*deviation)), int(math.Ceil(mean+4*deviation))
		}
		if k.has < k.low || k.has > k.high {
			t.Errorf("%s: %d of %d are kept, want %d to %d; the first that is not: %s", name, k.has, k.sent, k.low, k.high, k.firstFault)
		}
		if k.sent < 20 && name != linked {
			t.Errorf("%s: only %d traces, which prove little", name, k.sent)
		}
		fmt.Fprintf(table, "  %s\t%d\t%d\t%d to %d\n", name, k.sent, k.has, max(k.low, 0), k.high)
	}
	_ = table.Flush()
	show(t, fmt.Sprintf("Tail sampling: all that matters, and %g %% of the rest", 100*share), text.String())
}

// kind is what the collector has to tell apart.
func (w *watched) kind(trace otlp.Trace) string {
	slow, marked := false, false
	for _, span := range trace.Spans {
		if span.Error {
			return "with an error"
		}
		if s := w.model.Service(span.Service); s != nil && span.Kind == "server" && span.Duration > s.SLO.Latency.Under {
			slow = true
		}
		for _, mark := range []string{"exemplar", "error.logged"} {
			if _, is := span.Attributes[mark]; is {
				marked = true
			}
		}
	}
	switch {
	case slow:
		return "over the SLO"
	case marked:
		return linked
	}
	return "the rest"
}

// samplingShare is the share of ordinary traces that the configuration keeps.
func samplingShare(t *testing.T, config []byte) float64 {
	t.Helper()
	var c struct {
		Processors map[string]struct {
			Policies []struct {
				Type          string
				Probabilistic struct {
					Percentage any `yaml:"sampling_percentage"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Processors["tail_sampling"].Policies {
		if p.Type == "probabilistic" {
			text := fmt.Sprint(p.Probabilistic.Percentage)
			if variable := regexp.MustCompile(`^\$\{env:\w+:-(.*)\}$`).FindStringSubmatch(text); variable != nil {
				text = variable[1] // it is not set here
			}
			percent, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return percent / 100
		}
	}
	t.Fatal("observability/jaeger/config.yaml: no policy of tail_sampling is probabilistic")
	return 0
}

// decided waits until the collector has decided on all traces that were sent by now, and gives that moment: it decides in the order in
// which traces come, so it has when it keeps one with an error that comes last.
func (w *watched) decided(t *testing.T) time.Time {
	t.Helper()
	now := time.Now()
	w.fault(t, "news", `{"error":503,"share":1}`)
	before := map[string]bool{}
	for _, trace := range w.sent.spans.List("news", 0) {
		before[trace.ID] = true
	}
	if _, _, err := w.call(t.Context(), "GET", w.Service("news").URL+"/v1/articles", nil, ""); err != nil {
		t.Fatal(err)
	}
	w.fault(t, "news", "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	last, err := w.sent.spans.Wait(ctx, func(trace otlp.Trace) bool { return trace.Service("news") && !before[trace.ID] })
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, "the decision on the last trace", func(ctx context.Context) error {
		_, err := w.trace(ctx, last.ID)
		return err
	})
	return now
}

// nobodyIsNamed wants no e-mail address, no card and no password in what the services wrote and sent.
func (w *watched) nobodyIsNamed(t *testing.T) {
	seen, found := w.hidden.result()
	for _, where := range []string{"stdout", "traces", "logs"} {
		if seen[where] < 10_000 {
			t.Errorf("%d bytes of %s were searched, which proves nothing", seen[where], where)
		}
	}
	for _, text := range found {
		t.Errorf("what nobody may see is in %s", text)
	}
	show(t, fmt.Sprintf("Searched for cards, addresses and passwords: %d found", len(found)), fmt.Sprintf("  bytes: %v", seen))
}
