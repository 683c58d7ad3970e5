package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
)

const mailed = "thing.made.v1"

// mailRoom is a platform whose service mailer gets events and fails, until it is mended.
type mailRoom struct {
	*testing.T
	dir     string
	brokers []string
	mended  atomic.Bool
	handled atomic.Int64
}

func newMailRoom(t *testing.T, brokers []string) *mailRoom {
	t.Helper()
	m := &mailRoom{T: t, dir: platform(t), brokers: brokers}
	_, port, err := net.SplitHostPort(brokers[0])
	if err != nil {
		t.Fatal(err)
	}
	// Its Kafka is where `scaffold up` would have one.
	if err := os.WriteFile(filepath.Join(m.dir, "platform.yaml"), []byte("name: shop\nlocal: {portBase: "+port+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, scaffold(t, m.dir, "new", "maker", "--publish", mailed))
	mustRun(t, scaffold(t, m.dir, "new", "mailer", "--consume", mailed))
	return m
}

// consume has the mailer work until the test ends.
func (m *mailRoom) consume() {
	m.Helper()
	consumer, err := event.NewConsumer(event.ConsumerOptions{
		Connection: event.Connection{Brokers: m.brokers}, Group: "mailer", Observe: event.Observe{Log: slog.New(slog.DiscardHandler)},
		Handlers: map[string]event.Handler{mailed: func(context.Context, event.Event) error {
			if !m.mended.Load() {
				return event.Permanent(errors.New("the mail server says no\x1b[2J to password=hunter2"))
			}
			m.handled.Add(1)
			return nil
		}},
	})
	if err != nil {
		m.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := consumer.Run(ctx); err != nil {
			m.Error(err)
		}
	}()
	m.Cleanup(func() {
		cancel()
		<-done
	})
}

func (m *mailRoom) publish(n int) {
	m.Helper()
	publisher, err := event.NewKafkaPublisher(event.KafkaOptions{Connection: event.Connection{Brokers: m.brokers}, Source: "maker"})
	if err != nil {
		m.Fatal(err)
	}
	defer func() { _ = publisher.Close() }()
	for i := range n {
		e, err := event.New(mailed, fmt.Sprint("thing-", i), map[string]string{"card": "4111111111111111"})
		if err == nil {
			err = publisher.Publish(m.Context(), e)
		}
		if err != nil {
			m.Fatal(err)
		}
	}
}

// dlq runs the command and gives its output and exit code.
func (m *mailRoom) dlq(args ...string) (stdout, stderr string, code int) {
	m.Helper()
	cmd := scaffold(m.T, m.dir, append([]string{"events", "dlq"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the exit code tells
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// listed is a dead letter as list and show print it.
type listed struct {
	ID, Type, EventID, Key, Origin, Cause, Payload string
	Attempts                                       int
}

func (m *mailRoom) list(args ...string) (letters []listed) {
	m.Helper()
	out, errs, code := m.dlq(append([]string{"list", "mailer", "--json"}, args...)...)
	if code != 0 {
		m.Fatalf("exit %d: %s", code, errs)
	}
	if err := json.Unmarshal([]byte(out), &letters); err != nil {
		m.Fatalf("%v in %s", err, out)
	}
	return letters
}

func (m *mailRoom) eventually(what string, holds func() bool) {
	m.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			m.Fatalf("not after a minute: %s", what)
		}
	}
}

// deadLetters lists, shows and redrives.
func deadLetters(t *testing.T, brokers []string) {
	t.Helper()
	m := newMailRoom(t, brokers)
	if out, errs, code := m.dlq("list", "mailer"); code != 0 || out != "mailer has no dead letters\n" {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if letters := m.list(); letters == nil || len(letters) != 0 {
		t.Errorf("no letters are %v, want an empty list", letters)
	}
	m.consume()
	m.publish(3)
	m.eventually("there are three letters", func() bool { return len(m.list()) == 3 })

	out, _, _ := m.dlq("list", "mailer", "--brokers", m.brokers[0])
	for _, want := range []string{"ID ", "CAUSE", mailed, "thing-2", "the mail server says no"} {
		if !strings.Contains(out, want) {
			t.Errorf("the list lacks %q:\n%s", want, out)
		}
	}
	for _, secret := range []string{"4111111111111111", "hunter2", "\x1b"} {
		if strings.Contains(out, secret) {
			t.Errorf("the list shows %q:\n%s", secret, out)
		}
	}
	letters := m.list("--limit", "2")
	if len(letters) != 2 {
		t.Fatalf("%d letters, want 2", len(letters))
	}
	if l := letters[0]; l.Attempts != 1 || l.Type != mailed || !strings.HasPrefix(l.Origin, mailed+"/") || l.EventID == "" || l.Payload != "" {
		t.Errorf("letter %+v", l)
	}

	out, errs, code := m.dlq("show", "mailer", letters[1].ID)
	if code != 0 || !strings.Contains(out, `"card": "4111111111111111"`) || !strings.Contains(out, letters[1].EventID) || strings.Contains(out, "\x1b") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	var shown listed
	out, _, _ = m.dlq("show", "mailer", letters[1].ID, "--json")
	if err := json.Unmarshal([]byte(out), &shown); err != nil || shown.ID != letters[1].ID || shown.Payload != `{"card":"4111111111111111"}` {
		t.Errorf("shown %s, %v", out, err)
	}

	m.mended.Store(true)
	if out, errs, code := m.dlq("redrive", "mailer", "--limit", "1"); code != 0 || out != "1 event is on its way to mailer again\n" {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	m.eventually("one is handled", func() bool { return m.handled.Load() == 1 })
	if left := m.list(); len(left) != 2 || left[0].ID != letters[1].ID {
		t.Errorf("left are %+v", left)
	}
	if out, errs, code := m.dlq("redrive", "mailer", "--all", "--json"); code != 0 || out != "{\"redriven\":2}\n" {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	m.eventually("all are handled", func() bool { return m.handled.Load() == 3 })
	if out, _, code := m.dlq("redrive", "mailer", "--all"); code != 0 || !strings.HasPrefix(out, "nothing was redriven") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestDeadLettersAreListedAndRedriven(t *testing.T) {
	deadLetters(t, eventtest.Kafka(t))
}

func TestDeadLettersOfWhomAndWhere(t *testing.T) {
	broker := eventtest.NewBroker(t)
	m := newMailRoom(t, broker.Brokers())
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nobody":               {[]string{"list", "nobody"}, 1, "there is no service nobody: there are mailer, maker"},
		"one without events":   {[]string{"list", "maker"}, 1, "maker consumes no events"},
		"no service":           {[]string{"list"}, 2, "scaffold events dlq list orders"},
		"no letter":            {[]string{"show", "mailer", "0-99"}, 1, "no dead letter 0-99: `scaffold events dlq list mailer`"},
		"redrive how many":     {[]string{"redrive", "mailer"}, 2, "--all, or --limit"},
		"redrive all and some": {[]string{"redrive", "mailer", "--all", "--limit", "1"}, 2, "--all, or --limit"},
		"redrive less":         {[]string{"redrive", "mailer", "--limit", "-1"}, 2, "--all, or --limit"},
		"list less":            {[]string{"list", "mailer", "--limit", "-1"}, 2, "give 0"},
		"no such command":      {[]string{"lst", "mailer"}, 2, "lst"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, errs, code := m.dlq(test.args...); code != test.code || !strings.Contains(errs, test.want) {
				t.Errorf("exit %d, want %d with %q: %s", code, test.code, test.want, errs)
			}
		})
	}
	broker.Kill()
	for want, args := range map[string][]string{
		"Start it with `scaffold up`, or give --brokers": {"list", "mailer"},
		"give the right --brokers":                       {"redrive", "mailer", "--all", "--brokers", broker.Brokers()[0]},
	} {
		if _, errs, code := m.dlq(args...); code != 1 || !strings.Contains(errs, "no Kafka answers") || !strings.Contains(errs, want) {
			t.Errorf("exit %d, want 1 with %q: %s", code, want, errs)
		}
	}
}
