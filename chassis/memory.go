package chassis

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// spareHeap is how much a service may allocate between two collections at least. What a thin service keeps is a few MiB,
// and Go's rule, to collect when the heap has doubled, would have it collect hundreds of times a second under load, for a
// quarter of its processor time. The memory that this costs stays the same when the heap grows, and GOMEMLIMIT still rules.
const spareHeap = 32 << 20

// usualPercent is the runtime's own default of GOGC.
const usualPercent = 100

// tuneCollector keeps spareHeap free between collections, unless GOGC is set, until stop is called.
func tuneCollector() (stop func()) {
	t := &collectorTuner{}
	if os.Getenv("GOGC") == "" {
		t.tune()
		t.watch()
	}
	return func() { t.stopped.Store(true) }
}

// collectorTuner sets the collector's percentage anew after each collection.
type collectorTuner struct {
	percent atomic.Int64
	stopped atomic.Bool
}

// sentinel is garbage as soon as it is made, so that its finalizer runs after the next collection.
type sentinel struct{ _ *sentinel }

func (t *collectorTuner) watch() {
	runtime.SetFinalizer(&sentinel{}, func(*sentinel) {
		if t.stopped.Load() {
			return
		}
		t.tune()
		t.watch()
	})
}

func (t *collectorTuner) tune() {
	percent := collectorPercent(marked())
	if was := t.percent.Load(); percent-was > was/8 || was-percent > was/8 { // setting it stops the world
		t.percent.Store(percent)
		debug.SetGCPercent(int(percent))
	}
}

// collectorPercent is spareHeap as a percentage of what a collection marks; never less than the usual.
func collectorPercent(marked uint64) int64 {
	const least = uint64(4 << 20)                                     // the runtime's own least heap, by which the percentage is multiplied too
	return max(usualPercent, spareHeap*100/int64(max(marked, least))) //nolint:gosec // no heap has 2^63 bytes
}

// marked is what the runtime multiplies by the percentage, in bytes: what the last collection left of the heap, the stacks
// and the globals.
func marked() (sum uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			sum += s.Value.Uint64()
		}
	}
	return sum
}
