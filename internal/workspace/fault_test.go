package workspace

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"

	"github.com/trellis-mesh/trellis/internal/plan"
)

var errPowerLoss = errors.New("the power fails")

// failFrom makes the nth step fail, and when lasting every one after it: nothing cleans up after a power failure.
func (w *Workspace) failFrom(nth int, lasting bool, err error) (steps func() int) {
	var mu sync.Mutex
	count := 0
	w.disk.fault = func(string, string) error {
		mu.Lock()
		defer mu.Unlock()
		count++
		if count == nth || lasting && count > nth {
			return err
		}
		return nil
	}
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}

// A scenario is a command that changes a prepared platform.
type scenario struct {
	name    string
	prepare func(p *platform)
	command func(p *platform) error
}

func smallService(version string) []plan.File {
	return []plan.File{
		once("services/a/service.yaml", "name: a\n"),
		merged("services/a/main.go", "package main\n// "+version+"\n"),
		owned("services/a/deploy/workload.yaml", "version: "+version+"\n"),
	}
}

func scenarios() []scenario {
	ctx := context.Background()
	apply := func(files ...plan.File) func(p *platform) error {
		return func(p *platform) error { return p.ws.Apply(ctx, p.plan("services/a", files...), meta) }
	}
	undo := func(p *platform) error {
		_, err := p.ws.Undo(ctx)
		return err
	}
	grown := append(smallService("2")[1:], owned("services/a/new/deep/f.go", "package deep\n"), owned("contracts/events/e.json", "{}\n"))
	other := func(p *platform) { p.write("services/b/main.go", "package main\n") }
	first := func(p *platform) {
		other(p)
		p.apply("services/a", smallService("1")...)
	}
	edited := func(p *platform) {
		first(p)
		p.write("services/a/main.go", "// mine\npackage main\n// 1\n")
	}
	second := func(p *platform) {
		edited(p)
		p.apply("services/a", grown...)
	}
	return []scenario{
		{"a new service", other, apply(smallService("1")...)},
		{"a new service and a contract", other, apply(append(smallService("1"), owned("contracts/events/e.json", "{}\n"))...)},
		{"create, update, merge and delete", edited, apply(grown...)},
		{"remove a service", first, func(p *platform) error {
			removal, err := p.ws.Remove("services/a")
			if err != nil {
				return err
			}
			return p.ws.Apply(ctx, removal, meta)
		}},
		{"undo a new service", first, undo},
		{"undo create, update, merge and delete", second, undo},
	}
}

func (s scenario) start(t *testing.T) *platform {
	p := newPlatform(t)
	p.ws.inProcess = true
	p.ws.disk.unsynced = true // the tests' power failure loses no writes
	s.prepare(p)
	return p
}

// reopen opens the platform as the next command does.
func (p *platform) reopen() {
	p.t.Helper()
	p.open()
	p.ws.inProcess = true
	p.ws.disk.unsynced = true
}

// outcomes are the trees before and after a scenario's command.
func (s scenario) outcomes(t *testing.T) (before, after string, steps int) {
	p := s.start(t)
	before = p.tree()
	counted := p.ws.failFrom(0, false, nil)
	if err := s.command(p); err != nil {
		t.Fatal(err)
	}
	return before, p.tree(), counted()
}

func TestPowerLossBeforeAnyStepLeavesTheTreeBeforeOrAfter(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			before, after, steps := s.outcomes(t)
			sawAfter := false
			for nth := 1; nth <= steps; nth++ {
				p := s.start(t)
				p.ws.failFrom(nth, true, errPowerLoss)
				err := s.command(p)
				p.reopen()
				tree := p.tree()
				switch {
				case tree == after:
					sawAfter = true
				case sawAfter:
					t.Fatalf("step %d of %d: before again, though earlier steps gave after (%v)", nth, steps, err)
				case tree != before:
					t.Fatalf("step %d of %d: neither before nor after (%v)\n%s\nbefore:\n%s\nafter:\n%s", nth, steps, err, tree, before, after)
				}
				p.noLeftovers()
				if tree != after {
					if err := s.command(p); err != nil {
						t.Fatalf("step %d of %d: run again: %v", nth, steps, err)
					}
				}
				if p.tree() != after {
					t.Fatalf("step %d of %d: run again, and not after", nth, steps)
				}
				p.close()
			}
			if !sawAfter {
				t.Error("no power loss was late enough for after: the marks are not tested")
			}
		})
	}
}

func TestPowerLossDuringTheRecoveryFromAPowerLoss(t *testing.T) {
	s := scenarios()[2]
	before, after, steps := s.outcomes(t)
	for nth := steps - 20; nth <= steps; nth++ {
		for again := 1; ; again++ {
			p := s.start(t)
			p.ws.failFrom(nth, true, errPowerLoss)
			_ = s.command(p)
			p.close()

			recovering, err := open(p.root)
			if err != nil {
				t.Fatal(err)
			}
			counted := recovering.failFrom(again, true, errPowerLoss)
			_ = recovering.Recover()
			if err := recovering.Close(); err != nil {
				t.Fatal(err)
			}
			p.reopen()
			if tree := p.tree(); tree != after && tree != before {
				t.Fatalf("steps %d and %d: neither before nor after\n%s", nth, again, tree)
			}
			p.noLeftovers()
			p.close()
			if counted() < again {
				break
			}
		}
	}
}

func TestAFailingStepLeavesTheTreeBeforeOrAfter(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			before, after, steps := s.outcomes(t)
			for nth := 1; nth <= steps; nth++ {
				p := s.start(t)
				p.ws.failFrom(nth, false, syscall.ENOSPC)
				err := s.command(p)
				tree := p.tree()
				if err == nil && tree != after {
					t.Fatalf("step %d of %d: no error, and not after:\n%s", nth, steps, tree)
				}
				if err != nil && tree != after && tree != before {
					t.Fatalf("step %d of %d: neither before nor after (%v)\n%s", nth, steps, err, tree)
				}
				p.reopen()
				if now := p.tree(); now != tree {
					t.Fatalf("step %d of %d (%v): opening changed the tree\n%s\nto\n%s", nth, steps, err, tree, now)
				}
				p.noLeftovers()
				if tree != after {
					if err := s.command(p); err != nil {
						t.Fatalf("step %d of %d: run again: %v", nth, steps, err)
					}
				}
				if p.tree() != after {
					t.Fatalf("step %d of %d: run again, and not after", nth, steps)
				}
				p.close()
			}
		})
	}
}
