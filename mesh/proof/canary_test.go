package proof

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// proveCanarySteps changes the canary's share while requests run, with its header and without, and counts those that fail. It ends
// as scaffold canary ends it: after the first abort nobody is to ask v2 any more, so its pods may go.
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
		{"back to 0", "weight: 0", 0, 0},
		{"step to 10", "weight: 10", 3, 20},
	} {
		p.edit("services/catalog/service.yaml", now, step.weight)
		now = step.weight
		rows = append(rows, []string{step.name, m.step(t, p, step.from, step.to)})
	}
	abort := func() {
		if err := p.scaffold("canary", "catalog", "abort"); err != nil {
			t.Fatal(err)
		}
	}
	abort()
	rows = append(rows, []string{"abort", m.step(t, p, 0, 0)})
	if err := m.awaitHeaderIgnored(); err != nil {
		t.Error(err)
	}
	defer m.dismiss("catalog", "v2")()
	abort()
	rows = append(rows, []string{"abort again, v2 is gone", m.step(t, p, 0, 0)})
	sent, failed := stop()
	for _, a := range failed {
		t.Errorf("a request got %s", a.detail())
	}
	rows = append(rows, []string{"requests meanwhile", fmt.Sprint(sent)}, []string{"of which failed", fmt.Sprint(len(failed))})
	printTable("The canary, step by step", []string{"step", "share of v2 that is seen"}, rows)
}

// awaitHeaderIgnored waits until requests with the canary's header are answered by the other version.
func (m *mesh) awaitHeaderIgnored() error {
	const window = 200
	v2 := 0
	for range 100 {
		v2 = 0
		for range window {
			if m.catalog(patient, http.MethodGet, product, "X-Canary", "always").version == "v2" {
				v2++
			}
		}
		if v2 == 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: v2 still gets %d of %d requests with its header", errWrong, v2, window)
}

// dismiss makes the pods of a version answer nobody, as pods that are gone, until the function that it gives is called.
func (m *mesh) dismiss(service, version string) (undo func()) {
	behave := func(h http.HandlerFunc) {
		for _, p := range m.replicas(service) {
			if p.labels["version"] == version {
				p.app.behave(h)
			}
		}
	}
	behave(hangUp)
	return func() { behave(nil) }
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

// keepAsking sends requests of both callers, one of them for the canary, until stop is called.
func (m *mesh) keepAsking(t *testing.T) (stop func() (sent int64, failed []answer)) {
	t.Helper()
	var done atomic.Bool
	var n atomic.Int64
	var mu sync.Mutex
	var failed []answer
	var senders sync.WaitGroup
	for _, c := range [][]string{{patient, http.MethodGet, product, "X-Canary", "always"}, {patient, http.MethodPost, products}, {impatient, http.MethodGet, product}} {
		senders.Go(func() {
			for !done.Load() {
				a := m.catalog(c[0], c[1], c[2], c[3:]...)
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
