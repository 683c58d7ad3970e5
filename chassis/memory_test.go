package chassis

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

const mib = 1 << 20

func TestCollectorPercentKeepsTheSpareHeap(t *testing.T) {
	for marked, want := range map[uint64]int64{
		0:          800,
		mib:        800,
		4 * mib:    800,
		8 * mib:    400,
		32 * mib:   100,
		1000 * mib: 100,
	} {
		if got := collectorPercent(marked); got != want {
			t.Errorf("%d MiB marked: %d %%, want %d %%", marked/mib, got, want)
		}
	}
}

// The heap may grow by the spare heap and no more while little is alive, many stacks or not, and doubles when much is.
func TestCollectorFollowsTheHeap(t *testing.T) {
	before := debug.SetGCPercent(usualPercent)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Setenv("GOGC", "")
	t.Cleanup(tuneCollector())
	awaitGoal(t, "little alive", 0.8*spareHeap, 1.5*spareHeap)

	release := make(chan struct{})
	for range 2000 {
		go deep(release, 200)
	}
	awaitGoal(t, "many stacks", 0.5*spareHeap, 3*spareHeap)
	close(release)

	kept := make([]byte, 2*spareHeap)
	awaitGoal(t, "much alive", 4*spareHeap, 5*spareHeap)
	runtime.KeepAlive(kept)
}

// deep waits with a stack of some 20 KiB.
func deep(release chan struct{}, depth int) byte {
	var room [64]byte
	if depth > 0 {
		return deep(release, depth-1) + room[depth%len(room)]
	}
	<-release
	return room[0]
}

// awaitGoal collects until the runtime's goal for the heap is within bounds.
func awaitGoal(t *testing.T, what string, low, high float64) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond) // finalizers run beside
	defer ticker.Stop()
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-ticker.C {
		runtime.GC()
		metrics.Read(goal)
		if at := float64(goal[0].Value.Uint64()); low <= at && at <= high {
			return
		}
	}
	t.Errorf("%s: the heap may grow to %d MiB, want %.0f to %.0f", what, goal[0].Value.Uint64()/mib, low/mib, high/mib)
}

func TestCollectorIsLeftAloneWhenGOGCIsSet(t *testing.T) {
	before := debug.SetGCPercent(77)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Setenv("GOGC", "77")
	t.Cleanup(tuneCollector())
	if got := debug.SetGCPercent(77); got != 77 {
		t.Error(got)
	}
}
