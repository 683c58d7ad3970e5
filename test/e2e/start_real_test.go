//go:build real && linux

package e2e

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/test/market"
)

// What `make up` may take on two processors, all of its services, the broker and the stores included, when everything is built.
const (
	mostTime   = 60 * time.Second
	mostMemory = 1536 << 20
)

// TestThePlatformStartsWithinItsBudget starts everything once to have it built, and once to measure.
func TestThePlatformStartsWithinItsBudget(t *testing.T) {
	warm := start(t, local.Options{})
	if err := warm.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p := start(t, local.Options{})
	took := time.Since(began)
	started := shareOfMemory(t, p)
	shop, err := market.Of(t.Context(), p.Platform)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, shop, market.Plan{Seed: 1, Products: 50, Users: 10, Orders: 50})
	worked := shareOfMemory(t, p)
	for _, name := range slices.Sorted(maps.Keys(started)) {
		t.Logf("%-14s %5.0f MiB, after some work %5.0f MiB", name, mebibytes(started[name]), mebibytes(worked[name]))
	}
	t.Logf("%d services: started in %.1f s, %.0f MiB; after some work %.0f MiB", len(p.Endpoints()), took.Seconds(), mebibytes(sum(started)), mebibytes(sum(worked)))
	if took > mostTime {
		t.Errorf("it took %s to start, and may take %s", took, mostTime)
	}
	if most := max(sum(started), sum(worked)); most > mostMemory {
		t.Errorf("it takes %.0f MiB, and may take %.0f", mebibytes(most), mebibytes(mostMemory))
	}
}

// shareOfMemory is what each process takes: its own pages, and its share of those that it has in common with others. The broker, the other
// stores and the receiver of traces are in this process.
func shareOfMemory(t *testing.T, p *shop) map[string]int64 {
	t.Helper()
	taken := map[string]int64{"(the host)": proportional(t, os.Getpid())}
	for _, e := range p.Endpoints() {
		taken[e.Service] = proportional(t, e.PID)
	}
	return taken
}

// proportional is the proportional set size of a process, in bytes (proc_pid_smaps(5)).
func proportional(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "Pss: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatalf("process %d has no Pss", pid)
	return 0
}

func sum(of map[string]int64) (total int64) {
	for _, n := range of {
		total += n
	}
	return total
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
