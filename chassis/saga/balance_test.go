package saga_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/test/soak"
)

// balance carries out sagas whose steps fail in every way at random, by two workers of which goroutines die, resumes what is
// parked, and compares the effects that are left with what each saga says it did.
func balance(t *testing.T, db *database.DB) {
	rounds := soak.Rounds(t, 2)
	rand := soak.Rand(t)
	for round := range rounds {
		n := 1 + rand.IntN(5)
		changes := []func(*saga.Definition[trip]){func(def *saga.Definition[trip]) { def.Name = fmt.Sprint("round-", round) }}
		point := -1
		if rand.IntN(2) == 0 {
			point = rand.IntN(n)
			changes = append(changes, pivot(point))
			if rand.IntN(2) == 0 {
				changes = append(changes, noUndo(point))
			}
		}
		w := newWorld()
		w.fail = fate(rand.Uint64())
		short := func(o *saga.Options) { o.Lease = 300 * time.Millisecond }
		s := newSaga(t, db, journey(w, n, changes...), short)
		stop := []func(){run(t, s), run(t, newSaga(t, db, journey(w, n, changes...), short))}
		var ids []string
		for i := range 15 {
			ids = append(ids, fmt.Sprint(i))
			start(t, db, s, ids[i])
		}
		eventually(t, "all sagas have ended", func() bool {
			parked, err := s.List(t.Context(), saga.Parked, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range parked {
				if err := s.Resume(t.Context(), p.ID); err != nil {
					t.Fatal(err)
				}
			}
			ended := 0
			for _, state := range []saga.State{saga.Completed, saga.Compensated} {
				list, err := s.List(t.Context(), state, 0)
				if err != nil {
					t.Fatal(err)
				}
				ended += len(list)
			}
			return ended == len(ids)
		})
		for _, fn := range stop {
			fn()
		}
		for _, id := range ids {
			audit(t, w, get(t, s, id), fmt.Sprint("round-", round), n, point)
		}
	}
}

// audit compares a saga with the effects that it left.
func audit(t *testing.T, w *world, i saga.Instance[trip], name string, n, pivot int) {
	t.Helper()
	var left []string
	for _, key := range slices.Sorted(maps.Keys(w.effects)) {
		if words := strings.Split(key, "/"); words[0] == name && words[1] == i.ID {
			left = append(left, words[2])
		}
	}
	var all, undone []string
	for step := range n {
		all = append(all, string(rune('a'+step)))
	}
	switch i.State {
	case saga.Completed:
		if !slices.Equal(left, all) || !slices.Equal(i.Done, all) {
			t.Errorf("%s %s is completed with effects %q and done %q", name, i.ID, left, i.Done)
		}
	default:
		if len(left) != 0 || len(i.Done) != 0 {
			t.Errorf("%s %s is compensated with effects %q and done %q", name, i.ID, left, i.Done)
		}
	}
	for _, e := range i.Log {
		if e.Error != "" || e.Step == "" {
			continue
		}
		if e.Action == "do" && i.State == saga.Compensated && pivot >= 0 && e.Step == all[pivot] {
			t.Errorf("%s %s was compensated beyond its pivot: %+v", name, i.ID, i.Log)
		}
		if e.Action == "undo" {
			undone = append(undone, e.Step)
		}
	}
	if !slices.IsSortedFunc(undone, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("%s %s was undone in the order %q", name, i.ID, undone)
	}
}

// fate draws what happens at a point; the same seed gives the same.
func fate(seed uint64) func(point) failure {
	return func(p point) failure {
		hash := fnv.New64a()
		_, _ = fmt.Fprint(hash, seed, p.id, p.step, p.action, p.call)
		draw := hash.Sum64() >> 20 % 100 // the lowest bits of FNV are its worst
		slow := func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(2 * time.Millisecond):
				return errMade
			}
		}
		switch {
		case draw < 60:
			return failure{}
		case draw < 66:
			return failure{before: failing(errMade)}
		case draw < 72:
			return failure{after: failing(errMade)}
		case draw < 77:
			return failure{before: failing(saga.NoEffect(errMade))}
		case draw < 82:
			return failure{after: failing(saga.Permanent(errMade))}
		case draw < 86 && p.action == "do" && p.call == 1: // later, the callee would know that it has been done
			return failure{before: failing(saga.Refused(errMade))}
		case draw < 90:
			return failure{after: slow}
		case draw < 93:
			return failure{before: crash}
		case draw < 96:
			return failure{after: crash}
		}
		return failure{after: panics}
	}
}
