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
// quarter of its processor time. The memory that this costs does not grow with the heap, and GOMEMLIMIT still rules.
const spareHeap = 32 << 20

// usualPercent is the runtime's own default of GOGC.
const usualPercent = 100

// tuneCollector keeps spareHeap free between collections, unless GOGC is set.
func tuneCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	t := &collectorTuner{}
	t.tune()
	t.watch()
}

// collectorTuner sets the collector's percentage anew after each collection.
type collectorTuner struct {
	percent atomic.Int64
}

// sentinel is garbage as soon as it is made, so that its finalizer runs after the next collection.
type sentinel struct{ _ *sentinel }

func (t *collectorTuner) watch() {
	runtime.SetFinalizer(&sentinel{}, func(*sentinel) {
		t.tune()
		t.watch()
	})
}

func (t *collectorTuner) tune() {
	percent := collectorPercent(liveHeap())
	if was := t.percent.Load(); percent-was > was/8 || was-percent > was/8 { // setting it stops the world
		t.percent.Store(percent)
		debug.SetGCPercent(int(percent))
	}
}

// collectorPercent is the share of the live heap, in percent, that makes spareHeap; never less than the usual.
func collectorPercent(live uint64) int64 {
	const least = uint64(1 << 20)                                   // the runtime counts stacks and globals in; nothing is smaller
	return max(usualPercent, spareHeap*100/int64(max(live, least))) //nolint:gosec // no heap has 2^63 bytes
}

// liveHeap is what the last collection left, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return spareHeap
	}
	return sample[0].Value.Uint64()
}
