package chassis

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestCollectorPercentKeepsTheSpareHeap(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int64{
		0:          2400,
		mib:        2400,
		4 * mib:    600,
		24 * mib:   100,
		1000 * mib: 100,
	} {
		if got := collectorPercent(live); got != want {
			t.Errorf("%d MiB alive: %d %%, want %d %%", live/mib, got, want)
		}
	}
}

// The tuner follows the heap: with much alive it is the usual percentage, with little a multiple.
func TestCollectorFollowsTheHeap(t *testing.T) {
	before := debug.SetGCPercent(usualPercent)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Setenv("GOGC", "")
	tuneCollector()
	kept := make([]byte, 2*spareHeap)
	awaitPercent(t, func(percent int) bool { return percent == usualPercent })
	runtime.KeepAlive(kept)
	kept = nil
	awaitPercent(t, func(percent int) bool { return percent > 2*usualPercent })
}

func awaitPercent(t *testing.T, right func(int) bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		runtime.GC()
		time.Sleep(time.Millisecond) // finalizers run beside
		percent := debug.SetGCPercent(usualPercent)
		debug.SetGCPercent(percent)
		if right(percent) {
			return
		}
	}
	t.Error("the percentage did not follow")
}

func TestCollectorIsLeftAloneWhenGOGCIsSet(t *testing.T) {
	before := debug.SetGCPercent(77)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Setenv("GOGC", "77")
	tuneCollector()
	if got := debug.SetGCPercent(77); got != 77 {
		t.Error(got)
	}
}
