package proof

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// proveCanarySteps changes the canary's share while requests run, as scaffold canary does, and counts those that fail.
func proveCanarySteps(t *testing.T, m *mesh) {
	p := shop(t)
	stop := m.keepAsking(t)
	var rows [][]string
	now := "weight: 10"
	for _, step := range []struct {
		name, weight string
		from, to     int // v2 in percent, once all sidecars know
	}{
		{"step to 50", "weight: 50", 35, 65},
		{"promote", "weight: 100", 100, 100},
		{"abort", "weight: 0", 0, 0},
		{"start again", "weight: 10", 3, 20},
		{"end", "weight: 0", 0, 0},
	} {
		p.edit("services/catalog/service.yaml", now, step.weight)
		now = step.weight
		rows = append(rows, []string{step.name, m.step(t, p, step.from, step.to)})
	}
	p.edit("services/catalog/service.yaml", "\n  canary: {version: v2, weight: 0, header: {name: x-canary, value: \"always\"}}", "")
	rows = append(rows, []string{"take out", m.step(t, p, 0, 0)})
	sent, failed := stop()
	for _, a := range failed {
		t.Errorf("a request got %s: %v", a, a.err)
	}
	rows = append(rows, []string{"requests meanwhile", fmt.Sprint(sent)}, []string{"of which failed", fmt.Sprint(len(failed))})
	printTable("The canary, step by step", []string{"step", "share of v2 that is seen"}, rows)
}

// step renders the platform, applies it and waits until the share of v2 is between the two.
func (m *mesh) step(t *testing.T, p *platform, from, to int) string {
	t.Helper()
	if err := p.sync(); err != nil {
		t.Fatal(err)
	}
	if err := m.follow(os.DirFS(p.root), nil); err != nil {
		t.Fatal(err)
	}
	share, err := m.awaitShare(from, to)
	if err != nil {
		t.Error(err)
	}
	return fmt.Sprintf("%d %%", share)
}

// keepAsking sends requests of both callers until stop is called.
func (m *mesh) keepAsking(t *testing.T) (stop func() (sent int64, failed []answer)) {
	t.Helper()
	var done atomic.Bool
	var n atomic.Int64
	var mu sync.Mutex
	var failed []answer
	var senders sync.WaitGroup
	for _, c := range [][3]string{{patient, http.MethodGet, product}, {patient, http.MethodPost, products}, {impatient, http.MethodGet, product}} {
		senders.Go(func() {
			for !done.Load() {
				a := m.catalog(c[0], c[1], c[2])
				n.Add(1)
				if a.status != http.StatusOK {
					mu.Lock()
					failed = append(failed, a)
					mu.Unlock()
				}
			}
		})
	}
	return func() (int64, []answer) {
		done.Store(true)
		senders.Wait()
		return n.Load(), failed
	}
}
