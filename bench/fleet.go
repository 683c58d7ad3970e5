package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	smallFleet, bigFleet = 50, 500

	syncBudget      = 3    // seconds, for the big fleet
	syncRatioBudget = 1.3  // cost of a service in the big fleet, × that in the small one
	fleetRuns       = 5    // runs of a sync; the median counts
	fleetOwner      = "aa" // prefix of the services' names
)

// fleetTimes are the seconds that `scaffold sync` takes.
type fleetTimes struct {
	first   float64 // everything is written
	nothing float64 // nothing has changed
	one     float64 // one declaration has changed
}

// measureFleet times `scaffold sync` over platforms of 50 and 500 services.
func measureFleet(ctx context.Context, _ options, s *scratchTree, r *report) error {
	small, err := syncFleet(ctx, s, smallFleet)
	if err != nil {
		return err
	}
	big, err := syncFleet(ctx, s, bigFleet)
	if err != nil {
		return err
	}
	perService := func(big, small float64) float64 { return big / bigFleet / (small / smallFleet) }
	r.seconds("sync of 50, everything written", small.first, "once")
	r.seconds("sync of 500, everything written", big.first, fmt.Sprintf("once; a service costs %.2f × that at 50",
		perService(big.first, small.first)))
	r.seconds("sync of 50, nothing changed", small.nothing, "median")
	r.atMost("sync of 500, nothing changed", big.nothing, "s", syncBudget, "median")
	r.seconds("sync of 50, one declaration changed", small.one, "median")
	r.atMost("sync of 500, one declaration changed", big.one, "s", syncBudget, "median")
	r.atMost("cost of a service, 500 ÷ 50", perService(big.one, small.one), "", syncRatioBudget, "one declaration changed")
	return nil
}

func syncFleet(ctx context.Context, s *scratchTree, services int) (fleetTimes, error) {
	var t fleetTimes
	root, err := s.fleet(ctx, services)
	if err != nil {
		return t, err
	}
	if t.first, err = timed(ctx, root, s.scaffold, "sync"); err != nil {
		return t, err
	}
	var nothing, one []float64
	for i := range fleetRuns {
		elapsed, err := timed(ctx, root, s.scaffold, "sync")
		if err != nil {
			return t, err
		}
		nothing = append(nothing, elapsed)
		if err := touchDeclaration(root, i); err != nil {
			return t, err
		}
		if elapsed, err = timed(ctx, root, s.scaffold, "sync"); err != nil {
			return t, err
		}
		one = append(one, elapsed)
	}
	return fleetTimes{first: t.first / 1000, nothing: median(nothing) / 1000, one: median(one) / 1000}, nil
}

// touchDeclaration gives one service another memory limit, which its workload follows.
func touchDeclaration(root string, run int) error {
	path := filepath.Join(root, "services", fleetName(0), "service.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if at := bytes.Index(text, []byte("\nrun: ")); at >= 0 {
		text = text[:at+1]
	}
	text = fmt.Appendf(text, "run: {memory: {limit: %dMi}}\n", 200+run)
	return os.WriteFile(path, text, 0o600)
}

func fleetName(i int) string { return fmt.Sprintf("%s%03d", fleetOwner, i) }

// fleet makes a platform of so many services: every even one has a database and publishes, every odd one calls it and
// consumes. Two services are scaffolded, and their declarations and contracts copied under other names, which is quick.
func (s *scratchTree) fleet(ctx context.Context, services int) (root string, err error) {
	seed, err := s.emptyPlatform(fmt.Sprintf("seed-%d", services))
	if err != nil {
		return "", err
	}
	event := fleetName(0) + ".created.v1"
	for _, args := range [][]string{
		{"new", fleetName(0), "--database", "postgres", "--publish", event},
		{"new", fleetName(1), "--call", fleetName(0) + ":get" + title(fleetName(0)), "--consume", event},
	} {
		if err := command(ctx, seed, s.scaffold, args...); err != nil {
			return "", err
		}
	}
	if root, err = s.emptyPlatform(fmt.Sprintf("fleet-%d", services)); err != nil {
		return "", err
	}
	for i := 0; i < services; i += 2 {
		if err := copyPair(seed, root, i); err != nil {
			return "", err
		}
	}
	return root, nil
}

// emptyPlatform is a root without services.
func (s *scratchTree) emptyPlatform(name string) (string, error) {
	root := filepath.Join(s.dir, name)
	if err := os.MkdirAll(root, 0o750); err != nil {
		return "", err
	}
	for _, file := range []string{"go.mod", "platform.yaml"} {
		if err := copyFile(filepath.Join(s.root, file), filepath.Join(root, file)); err != nil {
			return "", err
		}
	}
	return root, nil
}

// copyPair copies what the two seeded services declare as the services first and first+1.
func copyPair(seed, root string, first int) error {
	var pairs []string
	for i := range 2 {
		from, to := fleetName(i), fleetName(first+i)
		pairs = append(pairs, from, to, title(from), title(to))
	}
	rename := strings.NewReplacer(pairs...)
	return filepath.WalkDir(seed, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !declared(path) || !entry.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(seed, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		target := filepath.Join(root, rename.Replace(relative))
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			return err
		}
		return os.WriteFile(target, []byte(rename.Replace(string(text))), 0o600)
	})
}

// declared reports whether a file is a declaration or a contract, and not made from them.
func declared(path string) bool {
	switch filepath.Base(path) {
	case "service.yaml", "openapi.yaml":
		return true
	}
	return filepath.Base(filepath.Dir(path)) == "events" && filepath.Ext(path) == ".json"
}

func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
