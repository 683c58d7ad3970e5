package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
	"github.com/trellis-mesh/trellis/services/notifications/migrations"
)

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, nil) })
}

// conformance checks what the store promises on every kind of database; open gives an empty one.
func conformance(t *testing.T, open func(*testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *Store){
		"a message is put once":                         putsOnce,
		"a put is undone with its transaction":          undoes,
		"senders at once get different messages":        claims,
		"a claim ends with its lease":                   leases,
		"the one who came later has the say":            fences,
		"what is sent is never due":                     sends,
		"what is postponed is due later":                postpones,
		"an address releases what waits for it":         releases,
		"an address that comes while it is missed":      releasesLate,
		"the latest address is known":                   customers,
		"a list is a customer's, the latest first":      lists,
		"what is neither sent nor failed counts as due": counts,
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			if err := database.Migrate(t.Context(), db, migrations.FS); err != nil {
				t.Fatal(err)
			}
			test(t, New(db))
		})
	}
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func message(id string) domain.Message {
	return domain.Message{ID: id, CustomerID: "c", Kind: domain.OrderCancelled, OrderID: "o", Amount: "1 EUR", Reason: "why", CreatedAt: at}
}

func put(t *testing.T, s *Store, m domain.Message) {
	t.Helper()
	if first, err := s.Put(t.Context(), m, "trace of "+m.ID); err != nil || !first {
		t.Fatalf("first %v, %v", first, err)
	}
}

func claim(t *testing.T, s *Store, now time.Time) Claimed {
	t.Helper()
	c, ok, err := s.Claim(t.Context(), now, now.Add(time.Minute))
	if err != nil || !ok {
		t.Fatalf("claimed %v, %v", ok, err)
	}
	return c
}

func none(t *testing.T, s *Store, now time.Time) {
	t.Helper()
	if c, ok, err := s.Claim(t.Context(), now, now.Add(time.Minute)); err != nil || ok {
		t.Errorf("claimed %+v, %v", c, err)
	}
}

func only(t *testing.T, s *Store) domain.Message {
	t.Helper()
	messages, err := s.List(t.Context(), "c", 10)
	if err != nil || len(messages) != 1 {
		t.Fatalf("messages %+v, %v", messages, err)
	}
	return messages[0]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func putsOnce(t *testing.T, s *Store) {
	want := message("1")
	put(t, s, want)
	if first, err := s.Put(t.Context(), want, ""); err != nil || first {
		t.Errorf("first %v, %v", first, err)
	}
	want.Status = domain.Waiting
	if diff := cmp.Diff(want, only(t, s)); diff != "" {
		t.Error(diff)
	}
	want.Status, want.Attempts = domain.Sending, 1
	if diff := cmp.Diff(Claimed{Message: want, Traceparent: "trace of 1"}, claim(t, s, at)); diff != "" {
		t.Error(diff)
	}
}

func undoes(t *testing.T, s *Store) {
	made := errors.New("made")
	err := s.db.InTx(t.Context(), func(ctx context.Context, _ bun.Tx) error {
		if _, err := s.Put(ctx, message("1"), ""); err != nil {
			return err
		}
		if err := s.KeepCustomer(ctx, domain.Customer{ID: "c"}, at); err != nil {
			return err
		}
		return made
	})
	if !errors.Is(err, made) {
		t.Errorf("error %v", err)
	}
	none(t, s, at)
	if _, known, err := s.Customer(t.Context(), "c"); err != nil || known {
		t.Errorf("known %v, %v", known, err)
	}
}

func claims(t *testing.T, s *Store) {
	const n = 20
	for i := range n {
		put(t, s, message(fmt.Sprint(i)))
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for range 4 {
		group.Go(func() {
			for {
				c, ok, err := s.Claim(t.Context(), at, at.Add(time.Minute))
				if err != nil {
					t.Error(err)
				}
				if err != nil || !ok {
					return
				}
				mu.Lock()
				got[c.ID]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	for id, times := range got {
		if times != 1 {
			t.Errorf("message %s was claimed %d times", id, times)
		}
	}
	if len(got) != n {
		t.Errorf("%d messages were claimed, want %d", len(got), n)
	}
}

func leases(t *testing.T, s *Store) {
	put(t, s, message("1"))
	none(t, s, at.Add(-time.Microsecond))
	if c := claim(t, s, at); c.InDoubt || c.Attempts != 1 {
		t.Errorf("claimed %+v", c)
	}
	none(t, s, at.Add(time.Minute-time.Microsecond))
	if c := claim(t, s, at.Add(time.Minute)); !c.InDoubt || c.Attempts != 2 {
		t.Errorf("claimed %+v after the lease", c)
	}
}

func fences(t *testing.T, s *Store) {
	put(t, s, message("1"))
	first := claim(t, s, at)
	second := claim(t, s, at.Add(time.Minute))
	must(t, s.Fail(t.Context(), first.Message, "too late"))
	must(t, s.Postpone(t.Context(), first.Message, "too late", at))
	if m := only(t, s); m.Status != domain.Sending || m.Failure != "" {
		t.Errorf("message %+v", m)
	}
	must(t, s.Fail(t.Context(), second.Message, "refused"))
	if m := only(t, s); m.Status != domain.Failed || m.Failure != "refused" {
		t.Errorf("message %+v", m)
	}
	none(t, s, at.Add(time.Hour))
	must(t, s.Sent(t.Context(), first.Message, at)) // that the server has it is true whoever is told
	if m := only(t, s); m.Status != domain.Sent {
		t.Errorf("message %+v", m)
	}
}

func sends(t *testing.T, s *Store) {
	put(t, s, message("1"))
	c := claim(t, s, at)
	must(t, s.Sent(t.Context(), c.Message, at.Add(time.Second)))
	if m := only(t, s); m.Status != domain.Sent || !m.SentAt.Equal(at.Add(time.Second)) || m.Failure != "" {
		t.Errorf("message %+v", m)
	}
	none(t, s, at.Add(time.Hour))
	must(t, s.Postpone(t.Context(), c.Message, "late", at))
	must(t, s.Fail(t.Context(), c.Message, "late"))
	if m := only(t, s); m.Status != domain.Sent {
		t.Errorf("message %+v", m)
	}
}

func postpones(t *testing.T, s *Store) {
	put(t, s, message("1"))
	must(t, s.Postpone(t.Context(), claim(t, s, at).Message, "busy", at.Add(time.Second)))
	if m := only(t, s); m.Status != domain.Waiting || m.Failure != "busy" {
		t.Errorf("message %+v", m)
	}
	none(t, s, at)
	if c := claim(t, s, at.Add(time.Second)); c.InDoubt || c.Attempts != 2 {
		t.Errorf("claimed %+v", c)
	}
}

func releases(t *testing.T, s *Store) {
	later := at.Add(time.Second)
	put(t, s, message("failed"))
	must(t, s.Fail(t.Context(), claim(t, s, at).Message, domain.NoAddress))
	put(t, s, message("waiting"))
	must(t, s.Postpone(t.Context(), claim(t, s, at).Message, domain.NoAddress, at.Add(time.Hour)))
	put(t, s, message("refused"))
	must(t, s.Fail(t.Context(), claim(t, s, at).Message, "refused"))
	put(t, s, message("busy"))
	must(t, s.Postpone(t.Context(), claim(t, s, at).Message, "busy", at.Add(time.Hour)))
	none(t, s, later)
	must(t, s.KeepCustomer(t.Context(), domain.Customer{ID: "other"}, later))
	none(t, s, later)
	must(t, s.KeepCustomer(t.Context(), domain.Customer{ID: "c"}, later))
	got := map[string]bool{claim(t, s, later).ID: true, claim(t, s, later).ID: true}
	if !got["failed"] || !got["waiting"] {
		t.Errorf("released %v", got)
	}
	none(t, s, later)
}

// releasesLate has the address come between the look for it and the note that there is none.
func releasesLate(t *testing.T, s *Store) {
	put(t, s, message("1"))
	c := claim(t, s, at)
	must(t, s.KeepCustomer(t.Context(), domain.Customer{ID: "c"}, at))
	must(t, s.Fail(t.Context(), c.Message, domain.NoAddress))
	claim(t, s, at.Add(time.Minute))
}

func customers(t *testing.T, s *Store) {
	want := domain.Customer{ID: "c", Name: "Ada Lovelace", Email: "ada@new.example"}
	must(t, s.KeepCustomer(t.Context(), domain.Customer{ID: "c", Name: "Ada", Email: "ada@old.example"}, at))
	must(t, s.KeepCustomer(t.Context(), want, at))
	if got, known, err := s.Customer(t.Context(), "c"); err != nil || !known || got != want {
		t.Errorf("customer %+v, known %v, %v", got, known, err)
	}
	if _, known, err := s.Customer(t.Context(), "x"); err != nil || known {
		t.Errorf("known %v, %v", known, err)
	}
}

func lists(t *testing.T, s *Store) {
	for i, id := range []string{"b", "c", "a"} {
		m := message(id)
		m.CreatedAt = at.Add(time.Duration(i) * time.Second)
		put(t, s, m)
	}
	other := message("other")
	other.CustomerID = "d"
	put(t, s, other)
	messages, err := s.List(t.Context(), "c", 2)
	if err != nil || len(messages) != 2 || messages[0].ID != "a" || messages[1].ID != "c" {
		t.Errorf("listed %+v, %v", messages, err)
	}
}

func counts(t *testing.T, s *Store) {
	for _, id := range []string{"sent", "failed", "sending", "waiting"} {
		put(t, s, message(id))
	}
	welcome := message("welcome")
	welcome.Kind = domain.Welcome
	put(t, s, welcome)
	byID := map[string]domain.Message{}
	for range 5 {
		c := claim(t, s, at)
		byID[c.ID] = c.Message
	}
	must(t, s.Sent(t.Context(), byID["sent"], at))
	must(t, s.Fail(t.Context(), byID["failed"], "refused"))
	must(t, s.Postpone(t.Context(), byID["waiting"], "busy", at))
	got, err := s.Waiting(t.Context())
	if want := map[domain.Kind]int{domain.OrderCancelled: 2, domain.Welcome: 1}; err != nil || !maps.Equal(got, want) {
		t.Errorf("counted %v, %v, want %v", got, err, want)
	}
}
