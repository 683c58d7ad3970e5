package eventstore_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
)

// counting gives accounts with a snapshot every 5 events, and counts the events applied.
func counting(t *testing.T, store *eventstore.Store, schema int) (*eventstore.Repository[account], *int) {
	t.Helper()
	applied := new(int)
	return newAccounts(t, store, func(k *eventstore.Aggregate[account]) {
		k.Snapshot = eventstore.Snapshot[account]{Every: 5, Schema: schema}
		k.Apply = func(a *account, e eventstore.Recorded) error {
			*applied++
			return apply(a, e)
		}
	}), applied
}

// twelve makes an account with 12 events and a balance of 12.
func twelve(t *testing.T, accounts *eventstore.Repository[account]) {
	t.Helper()
	must[eventstore.Commit](t)(accounts.Create(t.Context(), "1", always(opened{1})))
	for range 11 {
		must[eventstore.Commit](t)(accounts.Update(t.Context(), "1", always(deposited{1})))
	}
}

func snapshotSaves(t *testing.T, db *database.DB) {
	now := newClock()
	store := newStore(t, db, func(o *eventstore.Options) { o.Now = now.Now })
	accounts, applied := counting(t, store, 1)
	twelve(t, accounts)
	now.set(noon.Add(time.Hour))
	for name, get := range map[string]struct {
		version, balance int64
		applied          int // the snapshot is of version 10
	}{"last": {12, 12, 2}, "at the snapshot": {10, 10, 0}, "before the snapshot": {9, 9, 9}} {
		*applied = 0
		a, version, err := accounts.GetVersion(t.Context(), "1", get.version)
		if err != nil || a.Balance != get.balance || version != get.version || *applied != get.applied {
			t.Errorf("%s: %+v at version %d, %d events applied, %v", name, a, version, *applied, err)
		}
	}
	must[eventstore.Commit](t)(accounts.Update(t.Context(), "1", always(deposited{100})))
	if a, _, err := accounts.GetAsOf(t.Context(), "1", noon); err != nil || a.Balance != 12 {
		t.Errorf("as of noon: %+v, %v", a, err)
	}
}

func snapshotIgnored(t *testing.T, db *database.DB) {
	registry := prometheus.NewRegistry()
	store := newStore(t, db, func(o *eventstore.Options) { o.Registry = registry })
	accounts, _ := counting(t, store, 1)
	twelve(t, accounts)
	newer, applied := counting(t, store, 2)
	if a, _, err := newer.Get(t.Context(), "1"); err != nil || a.Balance != 12 || *applied != 12 {
		t.Errorf("another schema: %+v after %d events, %v", a, *applied, err)
	}
	var kept struct{ State, Checksum string }
	if err := db.NewSelect().Table("eventstore_snapshot").Column("state", "checksum").Scan(t.Context(), &kept); err != nil {
		t.Fatal(err)
	}
	ignored := 0
	for name, change := range map[string]string{
		"another state":    `state = '{"Opened":true,"Balance":1000000}'`,
		"no JSON":          `state = '{'`,
		"another version":  `version = 9`,
		"a later version":  `version = 99`,
		"another position": `position = position + 1`,
		"no version":       `version = 0`,
		"another checksum": `checksum = ''`,
	} {
		execute(t, db, "UPDATE eventstore_snapshot SET "+change)
		reader, applied := counting(t, store, 1)
		if a, version, err := reader.Get(t.Context(), "1"); err != nil || a.Balance != 12 || version != 12 || *applied != 12 {
			t.Errorf("%s: %+v at version %d after %d events, %v", name, a, version, *applied, err)
		}
		ignored++
		if got := ignoredSnapshots(t, registry); got != float64(ignored) {
			t.Errorf("%s: %v ignored, want %d", name, got, ignored)
		}
		execute(t, db, "UPDATE eventstore_snapshot SET state = ?, checksum = ?, version = 10, position = 10", kept.State, kept.Checksum)
	}
	// A sound snapshot of events that were lost, as after restoring a backup, is not believed either.
	execute(t, db, "DELETE FROM eventstore_event WHERE version > 8")
	if a, version, err := accounts.Get(t.Context(), "1"); err != nil || a.Balance != 8 || version != 8 {
		t.Errorf("of lost events: %+v at version %d, %v", a, version, err)
	}
	mustAppend(t, store, "account-1", 8, deposited{100}, deposited{100})
	if a, version, err := newAccounts(t, store).Get(t.Context(), "1"); err != nil || a.Balance != 208 || version != 10 {
		t.Fatalf("without snapshots: %+v at version %d, %v", a, version, err)
	}
	if a, version, err := accounts.Get(t.Context(), "1"); err != nil || a.Balance != 208 || version != 10 {
		t.Errorf("of other events: %+v at version %d, %v", a, version, err)
	}
}

func ignoredSnapshots(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "eventstore_snapshots_total" && m.GetLabel()[0].GetValue() == "ignored" {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// secretive has a state that JSON does not see.
type secretive struct{ balance int64 }

func snapshotRefused(t *testing.T, db *database.DB) {
	registry := prometheus.NewRegistry()
	store := newStore(t, db, func(o *eventstore.Options) { o.Registry = registry })
	kind := eventstore.Aggregate[secretive]{Name: "secretive", Snapshot: eventstore.Snapshot[secretive]{Every: 1, Schema: 1}}
	kind.Apply = func(s *secretive, e eventstore.Recorded) error {
		s.balance += e.Data.(deposited).Amount
		return nil
	}
	repository := must[*eventstore.Repository[secretive]](t)(eventstore.NewRepository(store, kind))
	for n := range 3 {
		must[eventstore.Commit](t)(store.Append(t.Context(), "secretive-1", int64(n), deposited{5}))
	}
	must[eventstore.Commit](t)(repository.Update(t.Context(), "1", func(*secretive) ([]any, error) { return []any{deposited{5}}, nil }))
	if s, _, err := repository.Get(t.Context(), "1"); err != nil || s.balance != 20 {
		t.Errorf("%+v, %v", s, err)
	}
	if n, err := testutil.GatherAndCount(registry, "eventstore_snapshots_total"); err != nil || n != 1 {
		t.Errorf("%d outcomes, %v", n, err)
	}
	if n, err := db.NewSelect().Table("eventstore_snapshot").Count(t.Context()); err != nil || n != 0 {
		t.Errorf("%d snapshots, %v", n, err)
	}
}
