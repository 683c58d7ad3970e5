package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
	"github.com/trellis-mesh/trellis/services/notifications/internal/mail"
	"github.com/trellis-mesh/trellis/services/notifications/internal/store"
	"github.com/trellis-mesh/trellis/services/notifications/migrations"
	"github.com/trellis-mesh/trellis/services/notifications/smtptest"
)

// buffer is a log that may be written and read at once.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// shop is notifications as it is, with a real mail server, a database of the test's own, and a clock that the test sets.
type shop struct {
	*Notifications
	db       *database.DB
	kept     *store.Store
	server   *smtptest.Server
	log      buffer
	spans    *tracetest.InMemoryExporter
	registry *prometheus.Registry
	clock    atomic.Int64 // microseconds
}

const address = "ada@customers.example"

var ada = domain.Customer{ID: "c", Name: "Ada", Email: address}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{db: databasetest.New(t, migrations.FS), server: smtptest.New(t), spans: tracetest.NewInMemoryExporter()}
	s.kept = store.New(s.db)
	s.clock.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
	s.Notifications = s.start(t, s.kept, true)
	return s
}

// start starts notifications anew on what is kept, as after a crash.
func (s *shop) start(t *testing.T, kept Store, mails bool) *Notifications {
	t.Helper()
	s.registry = prometheus.NewRegistry()
	opt := Options{
		Log: slog.New(slog.NewJSONHandler(&s.log, nil)), Registry: s.registry, Now: func() time.Time { return time.UnixMicro(s.clock.Load()) },
		Tracer: sdk.NewTracerProvider(sdk.WithSyncer(s.spans)),
	}
	if mails {
		sender, err := mail.New(mail.Options{
			Host: s.server.Host(), Port: s.server.Port(), TLS: mail.NoTLS, From: "shop@shop.example", Timeout: 2 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		opt.Mailer = sender
	}
	n, err := New(kept, opt)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *shop) pass(d time.Duration) { s.clock.Add(d.Microseconds()) }

func (s *shop) registers(t *testing.T) {
	t.Helper()
	if err := s.Register(t.Context(), ada, "welcome"); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) tells(t *testing.T, id string) {
	t.Helper()
	err := s.Tell(t.Context(), domain.Message{ID: id, CustomerID: ada.ID, Kind: domain.OrderCompleted, OrderID: "o-" + id, Amount: "12.50 EUR"})
	if err != nil {
		t.Fatal(err)
	}
}

// work sends what is due now.
func (s *shop) work(t *testing.T) {
	t.Helper()
	for range 100 {
		did, err := s.Work(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !did {
			return
		}
	}
	t.Fatal("there is no end of work")
}

func (s *shop) wants(t *testing.T, id string, status domain.Status, failure string) {
	t.Helper()
	messages, err := s.List(t.Context(), ada.ID, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if m.ID == id {
			if m.Status != status || !strings.Contains(m.Failure, failure) || failure == "" && m.Failure != "" {
				t.Errorf("%s is %s, %q; want %s, %q", id, m.Status, m.Failure, status, failure)
			}
			return
		}
	}
	t.Errorf("there is no message %s", id)
}

// delivered compares how often each letter came.
func (s *shop) delivered(t *testing.T, want map[string]int) {
	t.Helper()
	got := s.server.Delivered()
	for id, n := range want {
		if got[id+"@shop.example"] != n {
			t.Errorf("%s came %d times, want %d", id, got[id+"@shop.example"], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("letters %v, want %v", got, want)
	}
}

func TestMessagesAreSentOnce(t *testing.T) {
	s := newShop(t)
	s.registers(t)
	s.tells(t, "1")
	s.tells(t, "1")
	s.work(t)
	s.pass(time.Hour)
	s.work(t)
	s.delivered(t, map[string]int{"welcome": 1, "1": 1})
	s.wants(t, "welcome", domain.Sent, "")
	for _, m := range s.server.Mails() {
		if m.To != address || !strings.Contains(m.Text, "Hello Ada,") {
			t.Errorf("mail %+v", m)
		}
	}
	if err := s.Tell(t.Context(), domain.Message{ID: "2", Kind: domain.Shipped}); !errors.Is(err, ErrNobody) {
		t.Errorf("told nobody: %v", err)
	}
}

func TestAServerThatIsAwayIsTriedAgain(t *testing.T) {
	s := newShop(t)
	s.registers(t)
	s.server.Stop()
	s.work(t)
	s.wants(t, "welcome", domain.Waiting, "connection refused")
	s.work(t) // it is not due yet
	s.server.Start()
	s.work(t)
	s.delivered(t, nil)
	s.pass(time.Second)
	s.work(t)
	s.delivered(t, map[string]int{"welcome": 1})
	s.wants(t, "welcome", domain.Sent, "")
}

func TestPausesGrowAndExpiryEndsThem(t *testing.T) {
	s := newShop(t)
	s.registers(t)
	tries := 0
	s.server.Refuse(func(stage smtptest.Stage) error {
		if stage == smtptest.Receiver {
			tries++
			return smtptest.Answer(451, "later")
		}
		return nil
	})
	for range 24 * 60 {
		s.work(t)
		s.pass(time.Minute)
	}
	s.wants(t, "welcome", domain.Waiting, "451")
	s.pass(5 * time.Minute)
	s.work(t)
	s.wants(t, "welcome", domain.Failed, "451")
	if tries < 100 || tries > 320 { // every five minutes in the end
		t.Errorf("%d tries in a day", tries)
	}
	if got := testutil.ToFloat64(s.metrics.messages.WithLabelValues("welcome", "failed")); got != 1 {
		t.Errorf("%v messages failed", got)
	}
}

func TestAnOldMessageHasItsAttemptsToo(t *testing.T) {
	s := newShop(t)
	s.registers(t)
	s.pass(48 * time.Hour) // there was no mail server, or no service
	tries := 0
	s.server.Refuse(func(stage smtptest.Stage) error {
		if stage == smtptest.Receiver {
			tries++
			return smtptest.Answer(451, "later")
		}
		return nil
	})
	for range fewest - 1 {
		s.work(t)
		s.wants(t, "welcome", domain.Waiting, "451")
		s.pass(10 * time.Minute)
	}
	s.work(t)
	s.wants(t, "welcome", domain.Failed, "451")
	if tries != fewest {
		t.Errorf("%d tries, want %d", tries, fewest)
	}
}

func TestAMessageThatIsRevivedHasItsAttemptsToo(t *testing.T) {
	s := newShop(t)
	s.tells(t, "early")
	for range 24 * 12 {
		s.work(t)
		s.pass(5 * time.Minute)
	}
	s.wants(t, "early", domain.Failed, domain.NoAddress)
	s.server.Stop()
	s.registers(t)
	s.work(t)
	s.wants(t, "early", domain.Waiting, "connection refused")
	s.server.Start()
	s.pass(time.Minute)
	s.work(t)
	s.wants(t, "early", domain.Sent, "")
}

func TestARefusalFailsAtOnceAndAlone(t *testing.T) {
	s := newShop(t)
	s.registers(t)
	var refused atomic.Bool
	s.server.Refuse(func(stage smtptest.Stage) error {
		if stage == smtptest.Receiver && refused.CompareAndSwap(false, true) {
			return smtptest.Answer(550, "no mailbox for "+address)
		}
		return nil
	})
	s.work(t)
	s.tells(t, "1")
	s.work(t)
	s.pass(24 * time.Hour)
	s.work(t)
	s.wants(t, "welcome", domain.Failed, "the server says 550 5.1.1")
	s.delivered(t, map[string]int{"1": 1})
	if log := s.log.String(); !strings.Contains(log, "a message is given up") || !strings.Contains(log, "550") {
		t.Errorf("the log says %s", log)
	}
}

// forgetful is a store that dies before it can note that a message was sent.
type forgetful struct {
	*store.Store
	dies atomic.Bool
}

var errDied = errors.New("it died")

func (f *forgetful) Sent(ctx context.Context, m domain.Message, at time.Time) error {
	if f.dies.Load() {
		return errDied
	}
	return f.Store.Sent(ctx, m, at)
}

func TestACrashBetweenSendAndMarkSendsTheSameMessageAgain(t *testing.T) {
	s := newShop(t)
	s.registers(t)
	dying := &forgetful{Store: s.kept}
	dying.dies.Store(true)
	if did, err := s.start(t, dying, true).Work(t.Context()); !did || !errors.Is(err, errDied) {
		t.Fatalf("did %v, %v", did, err)
	}
	s.wants(t, "welcome", domain.Sending, "")
	s.Notifications = s.start(t, s.kept, true)
	s.pass(lease - time.Microsecond)
	s.work(t)
	s.delivered(t, map[string]int{"welcome": 1}) // it may be under way yet
	s.pass(time.Microsecond)
	s.work(t)
	s.wants(t, "welcome", domain.Sent, "")
	s.delivered(t, map[string]int{"welcome": 2}) // under one id
	if got := testutil.ToFloat64(s.metrics.repeated); got != 1 {
		t.Errorf("%v messages were repeated", got)
	}
	if !strings.Contains(s.log.String(), "whether it was sent before is not known") {
		t.Errorf("the log says %s", s.log.String())
	}
}

func TestALostAnswerSendsTheSameMessageAgain(t *testing.T) {
	s := newShop(t)
	s.registers(t)
	s.server.LoseAnswers(true)
	s.work(t)
	s.wants(t, "welcome", domain.Waiting, "no answer")
	s.server.LoseAnswers(false)
	s.pass(time.Second)
	s.work(t)
	s.wants(t, "welcome", domain.Sent, "")
	s.delivered(t, map[string]int{"welcome": 2})
}

func TestAMessageWaitsForItsAddressAndThenFails(t *testing.T) {
	s := newShop(t)
	s.tells(t, "early")
	for range 59 {
		s.work(t)
		s.pass(time.Minute)
	}
	s.wants(t, "early", domain.Waiting, domain.NoAddress)
	s.pass(5 * time.Minute)
	s.work(t)
	s.wants(t, "early", domain.Failed, domain.NoAddress)
	s.tells(t, "late")
	s.work(t)
	s.registers(t) // at last
	s.work(t)
	s.delivered(t, map[string]int{"welcome": 1, "late": 1, "early": 1})
}

func TestNoAddressIsInLogsOrSpans(t *testing.T) {
	s := newShop(t)
	ctx, parent := s.tracer.Start(t.Context(), "user.created")
	if err := s.Register(ctx, ada, "welcome"); err != nil {
		t.Fatal(err)
	}
	parent.End()
	s.server.Refuse(func(stage smtptest.Stage) error {
		if stage == smtptest.Receiver {
			return smtptest.Answer(452, "the mailbox of "+address+" is full")
		}
		return nil
	})
	s.work(t)
	s.server.Refuse(nil)
	s.pass(time.Second)
	s.work(t)
	spans := s.spans.GetSpans()
	if len(spans) != 3 {
		t.Fatalf("%d spans", len(spans))
	}
	failed, sent := spans[1], spans[2]
	if failed.Status.Code != codes.Error || sent.Status.Code != codes.Unset || sent.Name != "send welcome" {
		t.Errorf("spans %+v and %+v", failed, sent)
	}
	for _, span := range spans[1:] { // the mail belongs to the trace of the event
		if span.Parent.SpanID() != parent.SpanContext().SpanID() || span.SpanContext.TraceID() != parent.SpanContext().TraceID() {
			t.Errorf("%s is no child of the event's span", span.Name)
		}
	}
	if text := s.log.String() + fmt.Sprintf("%+v", spans); strings.Contains(text, "customers.example") || !strings.Contains(text, "452") {
		t.Errorf("logs and spans say %s", text)
	}
}

func TestWithoutAServerMessagesWait(t *testing.T) {
	s := newShop(t)
	n := s.start(t, s.kept, false)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	if err := n.Register(t.Context(), ada, "welcome"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log says so", func() bool { return strings.Contains(s.log.String(), "there is no mail server") })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if lines := strings.Count(s.log.String(), "\n"); lines != 1 {
		t.Errorf("the log has %d lines: %s", lines, s.log.String())
	}
	s.wants(t, "welcome", domain.Waiting, "")
	s.work(t) // by a replica that has one
	s.delivered(t, map[string]int{"welcome": 1})
}

func TestRunOfTwoReplicasSendsEachMessageOnce(t *testing.T) {
	s := newShop(t)
	s.registers(t)
	want := map[string]int{"welcome": 1}
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for _, n := range []*Notifications{s.Notifications, s.start(t, s.kept, true)} {
		group.Go(func() {
			if err := n.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range 30 {
		id := fmt.Sprint(i)
		s.tells(t, id)
		want[id] = 1
	}
	eventually(t, "all are sent", func() bool { return len(s.server.Delivered()) == len(want) })
	eventually(t, "all are marked", func() bool {
		counts, err := s.kept.Waiting(t.Context())
		return err == nil && len(counts) == 0
	})
	stop()
	group.Wait()
	s.delivered(t, want)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		case <-again.C:
		}
	}
}
