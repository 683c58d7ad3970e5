package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/bench/proc"
	"github.com/trellis-mesh/trellis/bench/sink"
)

func TestMain(m *testing.M) {
	proc.Launch()
	os.Exit(m.Run())
}

func TestComparedServersHaveTheirFeaturesOn(t *testing.T) {
	all, err := others(t.Context(), ".", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	collector, err := sink.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	for _, c := range all {
		if err := proveFeatures(t.Context(), c, collector); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}

	servers := make([]server, len(all))
	o := options{rounds: 1, connections: 4, duration: 200 * time.Millisecond}
	if err := measureThroughput(t.Context(), o, all, collector.Addr, servers); err != nil {
		t.Fatal(err)
	}
	for i, s := range servers {
		if s.PerSecond <= 0 || s.P99 < s.P50 || s.Ratio <= 0 {
			t.Errorf("%s: %+v", all[i].name, s)
		}
	}
}

func TestAMissingFeatureIsFound(t *testing.T) {
	all, err := others(t.Context(), ".", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	collector, err := sink.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()

	silent := all[0] // the baseline has no feature on: claim that it has
	silent.service = "thing-gin"
	err = proveFeatures(t.Context(), silent, collector)
	if err == nil || !strings.Contains(err.Error(), "validation") {
		t.Errorf("err = %v, want the missing validation to be found", err)
	}
}

func TestReportTellsExceededBudgets(t *testing.T) {
	r := newReport()
	r.atMost("new", 99, "ms", 100, "")
	r.atLeast("ratio", 0.71, 0.7, "")
	r.seconds("first sync", 1, "")
	if !r.pass() {
		t.Error("kept budgets do not pass")
	}
	r.atLeast("slow", 0.69, 0.7, "")
	if r.pass() {
		t.Error("an exceeded budget passes")
	}
	var text strings.Builder
	if err := r.print(&text, false); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(text.String(), "FAIL"); got != 1 {
		t.Errorf("FAIL stands %d times, want once:\n%s", got, text.String())
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct{ values, want []int }{
		{nil, []int{0}}, {[]int{3}, []int{3}}, {[]int{3, 1, 2}, []int{2}}, {[]int{4, 1, 3, 2}, []int{2}},
	} {
		if got := median(c.values); got != c.want[0] {
			t.Errorf("median(%v) = %d, want %d", c.values, got, c.want[0])
		}
	}
}
