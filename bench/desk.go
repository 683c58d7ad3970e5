package main

import (
	"context"
	"time"
)

// The promises for the scaffolder.
const (
	newBudget   = 100 // milliseconds
	checkBudget = 500 // milliseconds, for the sample platform
)

// measureDesk times `scaffold new` and `scaffold check` in a copy of the platform. Each new service is undone again, so that
// every run starts from the same files.
func measureDesk(ctx context.Context, o options, s *scratchTree, r *report) error {
	root, err := s.copyPlatform("desk")
	if err != nil {
		return err
	}
	create := []string{
		"new", "billing", "--database", "postgres", "--call", "catalog:getProduct", "--publish", "invoice.issued.v1",
	}
	var creations, checks []float64
	for i := range o.runs + 1 {
		created, err := timed(ctx, root, s.scaffold, create...)
		if err != nil {
			return err
		}
		if err := command(ctx, root, s.scaffold, "undo"); err != nil {
			return err
		}
		checked, err := timed(ctx, root, s.scaffold, "check")
		if err != nil {
			return err
		}
		if i == 0 {
			continue // the first run fills the page cache
		}
		creations, checks = append(creations, created), append(checks, checked)
	}
	r.atMost("scaffold new", median(creations), "ms", newBudget, "median, warm: database, one call, one event")
	r.atMost("scaffold check", median(checks), "ms", checkBudget, "median, warm: the sample platform")
	return nil
}

// timed runs a program and returns how long it took, in milliseconds.
func timed(ctx context.Context, dir, name string, args ...string) (float64, error) {
	begin := time.Now()
	err := command(ctx, dir, name, args...)
	return milliseconds(time.Since(begin)), err
}
