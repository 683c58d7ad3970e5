package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/lint"
	"github.com/trellis-mesh/trellis/internal/lint/cluster"
	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

func (a *app) checkCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Prove the platform without running it, and find drift",
		Long: `Check reads all declarations and contracts, proves that they agree with each other and with what is rendered from them, and compares
that with the files on the disk. It writes nothing.

Exit codes: 0 all is well; 1 something is wrong; 4 all is well but files differ from what is declared.`,
		Example: `  scaffold check
  scaffold check --json | jq -r '.problems[].message'`,
		Args:              arguments(0, 0, "scaffold check"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var found findings
			err := a.withAny(func(s *session) (err error) {
				if err = s.plainServices(); err == nil {
					found, err = s.find(cmd.Context())
				}
				found.Services = s.declared()
				return err
			})
			return a.report(found, err, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "show the findings as JSON")
	return cmd
}

// findings are what check finds.
type findings struct {
	Services int           `json:"services"`
	Problems spec.Problems `json:"problems"`
	Drift    []drift       `json:"drift"`
}

// drift is a file that is not as it follows from the declarations.
type drift struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
	mend   mend
}

// mend is what puts drift right.
type mend int

const (
	bySync    mend = iota
	byRestore      // deleted: sync --restore
	byRemake       // edited, though scaffold owns it: delete it, then sync --restore
)

func newDrift(a plan.Action, reason string) drift {
	d := drift{Path: a.Path, Reason: reason}
	switch {
	case a.Class != plan.Owned:
	case a.Op == plan.Skip:
		d.mend = byRestore
	case a.Op == plan.Conflict || a.Op == plan.Keep:
		d.mend = byRemake
	}
	return d
}

// report shows what was found. A program that asked for JSON gets it whatever went wrong.
func (a *app) report(found findings, err error, asJSON bool) error {
	problems := spec.Problems(nil)
	if err != nil && !asJSON && !errors.As(err, &problems) {
		return err
	}
	found = found.with(err)
	if asJSON {
		raw, err := json.Marshal(found)
		if err != nil {
			return fmt.Errorf("encode the findings: %w", err)
		}
		a.say("%s\n", raw)
	} else {
		a.printFindings(found)
	}
	switch {
	case len(found.Problems) > 0:
		return &failure{Failed, nil}
	case len(found.Drift) > 0:
		return &failure{Drift, nil}
	}
	return nil
}

// with adds an error that kept check from going on, and is whole for a program: no list is null.
func (f findings) with(err error) findings {
	var problems spec.Problems
	if !errors.As(err, &problems) && err != nil {
		problems = spec.Problems{{Message: err.Error()}}
	}
	f.Problems = append(append(spec.Problems{}, f.Problems...), problems...)
	f.Drift = append([]drift{}, f.Drift...)
	return f
}

// declared counts the services, those with a broken declaration too.
func (s *session) declared() int {
	files, err := fs.Glob(s.FS(), spec.ServicesDir+"/*/"+spec.ServiceFile)
	if err != nil {
		return 0 // the pattern is a good one
	}
	return len(files)
}

// find reads and proves everything. Problems in the declarations come alone: what would follow from them can't be rendered.
func (s *session) find(ctx context.Context) (findings, error) {
	found := findings{Problems: spec.Problems{}, Drift: []drift{}}
	m, err := spec.Load(s.FS())
	if errors.As(err, &found.Problems) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	if problems := lint.Check(m, nil); len(problems) > 0 {
		found.Problems = problems
		return found, nil
	}
	if problems := lint.Contracts(m); len(problems) > 0 {
		found.Problems = problems
		return found, nil
	}
	now, err := s.follow(ctx, m, nil, plan.Options{})
	if err != nil {
		return found, err
	}
	deployed, err := s.yours(now)
	if err == nil {
		deployed, err = cluster.Found(m, deployed, s.FS())
	}
	if err != nil {
		return found, err
	}
	found.Problems = append(found.Problems, lint.Check(m, now.files)...)
	found.Problems = append(found.Problems, cluster.Check(m, deployed)...)
	watching, err := s.watching(now.files)
	if err != nil {
		return found, err
	}
	found.Problems = append(found.Problems, lint.Queries(m, watching)...)
	found.Problems.Sort()
	for _, action := range now.plan.Actions {
		if reason := driftReason(action); reason != "" {
			found.Drift = append(found.Drift, newDrift(action, reason))
		}
	}
	return found, nil
}

// yours are the files with a person's own in place of what they began as, and without those that he has deleted: those are what is
// deployed.
func (s *session) yours(now rendered) ([]plan.File, error) {
	deleted := map[string]bool{}
	for _, a := range now.plan.Actions {
		deleted[a.Path] = a.Op == plan.Skip
	}
	files := slices.DeleteFunc(slices.Clone(now.files), func(f plan.File) bool { return handedOver(f) && deleted[f.Path] })
	for i, f := range files {
		if !handedOver(f) {
			continue
		}
		disk, err := s.Read(f.Path)
		if err != nil {
			return nil, err
		}
		if disk != nil {
			files[i].Content = disk.Content
		}
	}
	return files, nil
}

// handedOver reports whether a file is a manifest that is a person's once it is made.
func handedOver(f plan.File) bool { return f.Class == plan.Once && path.Ext(f.Path) == ".yaml" }

// watching are the rules and dashboards as they lie on the disk, those that a person has added too: what they ask for must be there, whether or
// not they are as they would be made now.
func (s *session) watching(files []plan.File) ([]plan.File, error) {
	var all []plan.File
	seen := map[string]bool{}
	add := func(f plan.File) error {
		disk, err := s.Read(f.Path)
		if err != nil {
			return err
		}
		if disk != nil {
			f.Content = disk.Content
		}
		seen[f.Path] = true
		all = append(all, f)
		return nil
	}
	for _, f := range files {
		if lint.IsWatching(f.Path) {
			if err := add(f); err != nil {
				return nil, err
			}
		}
	}
	for _, pattern := range []string{"observability/grafana/dashboards/*.json", "observability/prometheus/rules*.yaml"} {
		own, err := fs.Glob(s.FS(), pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range own {
			if !seen[file] {
				if err := add(plan.File{Path: file}); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

// driftReason says why a file is not as it should be; empty when it is.
func driftReason(a plan.Action) string {
	owned := a.Class == plan.Owned
	switch {
	case owned && (a.Op == plan.Conflict || a.Op == plan.Keep):
		return "edited, though scaffold owns it: delete it and run `scaffold sync --restore`"
	case owned && a.Op == plan.Skip:
		return "deleted: `scaffold sync --restore` brings it back"
	case a.Op == plan.Conflict:
		return a.Reason
	case a.Op == plan.Create:
		return "missing: `scaffold sync` writes it"
	case a.Op == plan.Update, a.Op == plan.Merge:
		return "out of date: `scaffold sync` updates it"
	case a.Op == plan.Delete:
		return "no longer declared: `scaffold sync` deletes it"
	}
	return ""
}

func (a *app) printFindings(found findings) {
	a.printProblems(a.Out, a.Colour, found.Problems)
	for _, d := range found.Drift {
		a.say("%s: %s\n", paint(a.Colour, bold, d.Path), d.Reason)
	}
	switch {
	case len(found.Problems) > 0:
		a.say("%s\n", paint(a.Colour, red, count(len(found.Problems), "problem")))
	case len(found.Drift) > 0:
		a.say("%s\n", paint(a.Colour, yellow, count(len(found.Drift), "file")+" not as declared"))
		a.next(mending(found.Drift)...)
	default:
		a.say("%s %s, no problems, no drift\n", paint(a.Colour, green, "ok"), count(found.Services, "service"))
	}
}

// mending is what to do about drift. What a person edited though scaffold owns it, sync alone leaves as it is, or marks.
func mending(all []drift) []string {
	var edited []string
	by := map[mend]bool{}
	for _, d := range all {
		by[d.mend] = true
		if d.mend == byRemake {
			edited = append(edited, d.Path)
		}
	}
	var next []string
	switch {
	case by[byRemake]:
		next = append(next, mendEdited("", edited...), "make what was edited again, and what was deleted")
	case by[byRestore]:
		next = append(next, "scaffold sync --restore", "bring back what was deleted")
	}
	if by[bySync] {
		next = append(next, "scaffold sync --diff", "see what would change", "scaffold sync", "write it")
	}
	return next
}
