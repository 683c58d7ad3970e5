package event

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
)

func mustNew(t testing.TB, typ, key string, data any) Event {
	t.Helper()
	e, err := New(typ, key, data)
	if err != nil {
		t.Fatal(err)
	}
	e.SetSource("test")
	return e
}

func TestBinaryModeHeaders(t *testing.T) {
	e := mustNew(t, "order.created.v1", "o-1", map[string]int{"n": 1})
	e.SetID("id-1")
	e.SetTime(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC))
	e.SetExtension("tenant", "t1")
	headers, payload, err := encode(e)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range headers {
		got = append(got, h.Key+"="+string(h.Value))
	}
	want := []string{
		"ce_id=id-1", "ce_source=test", "ce_specversion=1.0", "ce_subject=o-1", "ce_tenant=t1",
		"ce_time=2026-01-02T03:04:05.000006Z", "ce_type=order.created.v1", "content-type=application/json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if string(payload) != `{"n":1}` {
		t.Errorf("payload %s", payload)
	}
}

func TestNewRefusesWhatIsNoJSON(t *testing.T) {
	if _, err := New("order.created.v1", "k", make(chan int)); err == nil {
		t.Error("a channel became JSON")
	}
}

func TestDecodeMarksAMisfitAsPermanent(t *testing.T) {
	e := mustNew(t, "order.created.v1", "k", "text")
	if _, err := Decode[struct{ N int }](e); !IsPermanent(err) {
		t.Errorf("got %v, want a permanent error", err)
	}
	e = mustNew(t, "order.created.v1", "k", map[string]any{"n": 1, "added": "later"})
	if v, err := Decode[struct{ N int }](e); err != nil || v.N != 1 {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestPermanentKeepsTheCause(t *testing.T) {
	cause := errors.New("cause")
	if err := Permanent(cause); !errors.Is(err, cause) || !IsPermanent(err) || err.Error() != "cause" {
		t.Errorf("got %v", err)
	}
	if Permanent(nil) != nil || IsPermanent(cause) || IsPermanent(nil) {
		t.Error("permanent where it is not")
	}
}

func TestPublishErrorTellsWhatFailed(t *testing.T) {
	err := &PublishError{Errs: []error{nil, ErrRefused, ErrHeld}}
	if !errors.Is(err, ErrRefused) || !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "2 of 3") {
		t.Errorf("got %v", err)
	}
}

func TestHoldKeepsTheOrderOfKeys(t *testing.T) {
	all := []*outgoing{
		{topic: "t", key: "a", err: ErrRefused}, {topic: "t", key: "b"}, {topic: "t", key: "a"}, {topic: "u", key: "a"},
		{topic: "t", err: ErrRefused}, {topic: "t"},
	}
	if rest := hold(all); len(rest) != 3 || rest[0] != all[1] || rest[1] != all[3] || rest[2] != all[5] {
		t.Errorf("%d are left to send", len(rest))
	}
	if !errors.Is(all[2].err, ErrHeld) {
		t.Errorf("got %v, want ErrHeld", all[2].err)
	}
}

func TestFitCutsBatchesByBytes(t *testing.T) {
	large := &outgoing{value: make([]byte, largestBatch)}
	small := &outgoing{value: make([]byte, 10)}
	for _, c := range []struct {
		batch []*outgoing
		want  int
	}{{[]*outgoing{small, small, small}, 3}, {[]*outgoing{large, small}, 1}, {[]*outgoing{small, large}, 1}, {[]*outgoing{large}, 1}} {
		if got := fit(c.batch); got != c.want {
			t.Errorf("a batch of %d, want %d of %d", got, c.want, len(c.batch))
		}
	}
}

// FuzzDecode feeds records as anybody may have written them. Whatever is taken for an event must survive being published.
func FuzzDecode(f *testing.F) {
	headers, payload, err := encode(mustNew(f, "order.created.v1", "k", 1))
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(mustNew(f, "order.created.v1", "k", 1))
	if err != nil {
		f.Fatal(err)
	}
	var lines []string
	for _, h := range headers {
		lines = append(lines, h.Key+":"+string(h.Value))
	}
	f.Add(strings.Join(lines, "\n"), payload)
	f.Add("content-type:application/cloudevents+json", text)
	f.Add("ce_specversion:1.0\nce_id:\xff", []byte(nil))
	f.Add("ce_specversion:1.0\nce_id:1\nce_source:%\nce_type:t\nce_time:0000-01-01T00:00:00Z\nce_a:b\nce_A:c", []byte("{"))
	f.Fuzz(func(t *testing.T, lines string, payload []byte) {
		var headers []kafka.Header
		for line := range strings.SplitSeq(lines, "\n") {
			key, value, _ := strings.Cut(line, ":")
			headers = append(headers, kafka.Header{Key: key, Value: []byte(value)})
		}
		e, err := decode(headers, payload)
		if err != nil {
			return
		}
		again, payload, err := encode(e)
		if err != nil {
			t.Fatalf("it was read but cannot be written: %v", err)
		}
		same, err := decode(again, payload)
		if err != nil {
			t.Fatalf("it was written but cannot be read: %v", err)
		}
		if diff := cmp.Diff(e.String(), same.String()); diff != "" {
			t.Errorf("it changed (-read +written):\n%s", diff)
		}
	})
}

// FuzzDeadLetter buries records as anybody may have written them, even such as look like dead letters already, and reads them again.
func FuzzDeadLetter(f *testing.F) {
	f.Add("ce_id:1", []byte("{}"), "no stock", 3)
	f.Add("dead_cause:forged\nDead_attempts:x\n"+deadAttempts+":99\n"+deadTruncated+":true", []byte(nil), "\xff"+strings.Repeat("é", longestCause), -1)
	f.Fuzz(func(t *testing.T, lines string, payload []byte, cause string, attempts int) {
		m := kafka.Message{Topic: "orders", Partition: 2, Offset: 7, Key: []byte("k"), Value: payload}
		for line := range strings.SplitSeq(lines, "\n") {
			key, value, _ := strings.Cut(line, ":")
			m.Headers = append(m.Headers, kafka.Header{Key: key, Value: []byte(value)})
		}
		before, _ := decode(m.Headers, m.Value)
		m.Headers = deadHeaders(m, attempts, errors.New(cause))
		letter := letterOf(m)
		if letter.Attempts != attempts || letter.Origin != "orders/2/7" || letter.Truncated || letter.Time.IsZero() {
			t.Fatalf("%+v", letter)
		}
		if len(letter.Cause) > longestCause || !utf8.ValidString(letter.Cause) || utf8.ValidString(cause) && !strings.HasPrefix(cause, letter.Cause) {
			t.Fatalf("cause %q of %q", letter.Cause, cause)
		}
		if letter.Event.ID() != before.ID() || letter.Event.Type() != before.Type() {
			t.Fatalf("the event is %v, and was %v", letter.Event, before)
		}
		m.Headers = truncated(m.Headers)
		if letter := letterOf(m); !letter.Truncated || letter.Attempts != attempts || letter.Origin != "orders/2/7" {
			t.Fatalf("truncated: %+v", letter)
		}
	})
}
