package chassis

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
)

// sink is an OTLP collector that remembers the traces of server spans.
type sink struct {
	mu     sync.Mutex
	traces map[string]int
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var export collector.ExportTraceServiceRequest
	if err := errors.Join(err, proto.Unmarshal(raw, &export)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range export.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				if span.GetKind() == tracepb.Span_SPAN_KIND_SERVER {
					s.traces[hex.EncodeToString(span.GetTraceId())]++
				}
			}
		}
	}
}

// load is many clients that send one request after the other until they are refused.
type load struct {
	url      string
	answered atomic.Int64
	enough   chan struct{} // is closed when there were many answers

	mu      sync.Mutex
	traces  []string
	refused []time.Time
	failed  []error
}

func (l *load) run(ctx context.Context, client *http.Client, worker int) {
	for i := 0; ctx.Err() == nil; i++ {
		trace := fmt.Sprintf("%016x%016x", worker+1, i+1)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url, nil)
		if err == nil {
			r.Header.Set("Traceparent", "00-"+trace+"-00000000000000ff-01")
			err = send(client, r)
		}
		l.mu.Lock()
		switch {
		case err == nil:
			l.traces = append(l.traces, trace)
		case refused(err):
			l.refused = append(l.refused, time.Now())
			l.mu.Unlock()
			return
		default:
			l.failed = append(l.failed, err)
		}
		l.mu.Unlock()
		if l.answered.Add(1) == 2000 {
			close(l.enough)
		}
	}
}

// refused tells whether no connection came about: the kernel refuses a handshake, or resets one that has just begun when
// the port closes.
func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET))
}

func send(client *http.Client, r *http.Request) error {
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusNoContent {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return errors.Join(err, resp.Body.Close())
}

func TestSigtermUnderLoadLosesNoRequestAndNoSpan(t *testing.T) {
	const clients, delay = 200, 700 * time.Millisecond
	spans := &sink{traces: map[string]int{}}
	collector := httptest.NewServer(spans)
	defer collector.Close()
	child := startChild(t, "worker", "APP_SHUTDOWN_DELAY="+delay.String(), "APP_SHUTDOWN_TIMEOUT=15s",
		"APP_KAFKA_BROKERS="+eventtest.Kafka(t)[0], "APP_TELEMETRY_ENDPOINT="+collector.URL, "APP_TELEMETRY_RATIO=1")
	at := child.ready()

	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	l := &load{url: "http://" + at.API + "/work", enough: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for worker := range clients {
		all.Go(func() { l.run(ctx, &http.Client{Transport: transport}, worker) })
	}
	probes := watchProbes(ctx, at.Admin)
	<-l.enough
	signalled := time.Now()
	child.signal()
	all.Wait()
	if code := child.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}

	if len(l.failed) > 0 {
		t.Errorf("%d requests failed, the first with: %v", len(l.failed), l.failed[0])
	}
	if len(l.refused) != clients {
		t.Errorf("%d clients were refused in the end, want all %d", len(l.refused), clients)
	}
	if first := slices.MinFunc(l.refused, time.Time.Compare).Sub(signalled); first < delay {
		t.Errorf("a client was refused %v after the signal, want none before %v", first, delay)
	}
	lost := 0
	for _, trace := range l.traces {
		if spans.traces[trace] != 1 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("of %d requests served, %d have no span, or several", len(l.traces), lost)
	}
	seen := probes()
	if seen.dead > 0 || !seen.drained {
		t.Errorf("liveness failed %d times, readiness said so: %v; want 0, true", seen.dead, seen.drained)
	}
	want := []string{"ready", "say not ready", "wait for endpoints to notice", "stop consumers", "drain HTTP", "stop workers",
		"flush the outbox", "store stopped", "run stop hooks", "flush telemetry", "close pools", "close the admin server"}
	got := slices.DeleteFunc(child.messages(), func(m string) bool { return !slices.Contains(want, m) })
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("order of events (-want +got):\n%s", d)
	}
	t.Logf("%d requests served, %d spans, refused from %v after the signal", len(l.traces), len(spans.traces),
		slices.MinFunc(l.refused, time.Time.Compare).Sub(signalled).Round(time.Millisecond))
}

type probed struct {
	dead    int
	drained bool
}

// watchProbes asks the admin port as a kubelet does, until the port is closed; the result is what it saw.
func watchProbes(ctx context.Context, admin string) func() probed {
	result := make(chan probed, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		var seen probed
		defer func() { result <- seen }()
		for ctx.Err() == nil {
			live, err := probe(ctx, client, "http://"+admin+"/health/live")
			if err != nil {
				return
			}
			if live != http.StatusOK {
				seen.dead++
			}
			ready, err := probe(ctx, client, "http://"+admin+"/health/ready")
			if err != nil {
				return
			}
			seen.drained = seen.drained || ready == http.StatusServiceUnavailable
		}
	}()
	return func() probed { return <-result }
}

func probe(ctx context.Context, client *http.Client, url string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	child := startChild(t, "hanging", "APP_SHUTDOWN_DELAY=1h", "APP_SHUTDOWN_TIMEOUT=2h")
	child.ready()
	child.signal()
	child.stopped("say not ready")
	begun := time.Now()
	child.signal()
	if code := child.exit(); code != 130 || time.Since(begun) > 5*time.Second {
		t.Errorf("exit code %d after %v, want 130 at once", code, time.Since(begun))
	}
}

func TestStartFailureIsOneLineAndCode1(t *testing.T) {
	child := startChild(t, "unwired")
	if code := child.exit(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	got := child.stderr.String()
	if strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "unwired: cannot start: ") || !strings.Contains(got, "set APP_CALLS_USER_PROFILE_URL") {
		t.Errorf("standard error %q, want one line with what to do", got)
	}
}

func TestFailedWorkEndsTheProcessWithCode1(t *testing.T) {
	child := startChild(t, "broken", "APP_SHUTDOWN_DELAY=0s")
	failure := child.logged("why it stops", func(l line) bool { return l.Msg == "stopping: its work failed" })
	if code := child.exit(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if want := "poller: panic: nothing to poll"; len(failure.Error) < len(want) || failure.Error[:len(want)] != want {
		t.Errorf("error %q, want it to begin with %q", failure.Error, want)
	}
}

func TestHungRequestCostsNeitherTheSpansNorTheHooks(t *testing.T) {
	child := startChild(t, "hanging", "APP_SHUTDOWN_DELAY=0s", "APP_SHUTDOWN_TIMEOUT=500ms")
	at := child.ready()
	conn, err := net.Dial("tcp", at.API)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	child.logged("hanging", func(l line) bool { return l.Msg == "hanging" })
	child.signal()
	begun := time.Now()
	if step := child.stopped("drain HTTP"); step.Level != "ERROR" {
		t.Error("the hung request was not found")
	}
	if step := child.stopped("flush telemetry"); step.Level != "INFO" {
		t.Errorf("flush telemetry: %s", step.Error)
	}
	if code := child.exit(); code != 1 || time.Since(begun) > 5*time.Second {
		t.Errorf("exit code %d after %v, want 1 within the limit", code, time.Since(begun))
	}
}
