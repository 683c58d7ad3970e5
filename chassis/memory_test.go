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
		0:          3200,
		mib:        3200,
		4 * mib:    800,
		32 * mib:   100,
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
	func() {
		kept := make([]byte, 2*spareHeap)
		awaitPercent(t, func(percent int) bool { return percent == usualPercent })
		runtime.KeepAlive(kept)
	}()
	awaitPercent(t, func(percent int) bool { return percent > 2*usualPercent })
}

func awaitPercent(t *testing.T, right func(int) bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond) // finalizers run beside
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-ticker.C {
		runtime.GC()
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
