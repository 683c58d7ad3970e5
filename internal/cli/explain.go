package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/workspace"
)

func (a *app) explainCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain PATH",
		Short: "Say where a file comes from and whose it is",
		Long: `Explain says of a file, or of every file in a folder, which template made it, from which inputs, who owns it, and whether it is as it
was made.`,
		Example: `  scaffold explain services/orders/main.go
  scaffold explain services/orders
  scaffold explain --json services/orders/wiring.gen.go`,
		Args: arguments(1, 1, "scaffold explain PATH"),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.with(func(s *session) error { return a.explain(s, args[0], asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON: one object for a file, a list for a folder")
	return cmd
}

// origin is where a file comes from.
type origin struct {
	Path     string          `json:"path"`
	Status   string          `json:"status"` // pristine, edited, deleted or yours
	Class    plan.Class      `json:"class,omitempty"`
	Frozen   bool            `json:"frozen,omitempty"`
	Template string          `json:"template,omitempty"`
	Version  string          `json:"templateVersion,omitempty"`
	Owner    string          `json:"owner,omitempty"`
	Inputs   json.RawMessage `json:"inputs,omitempty"`
	From     []source        `json:"from,omitempty"` // of a single file of a service: the declarations beside the service's own
}

// source is a declaration that a file follows from, and why.
type source struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

func (a *app) explain(s *session, name string, asJSON bool) error {
	at, err := a.inside(s, name)
	if err != nil {
		return err
	}
	info, err := fs.Stat(s.FS(), at)
	isFolder := err == nil && info.IsDir()
	origins, err := s.origins(at, isFolder)
	if err != nil {
		return err
	}
	if len(origins) == 0 {
		return fmt.Errorf("%s: there is no such file, and scaffold never made one", name)
	}
	if !isFolder {
		origins[0].From = s.sources(origins[0])
	}
	switch {
	case !asJSON && isFolder:
		for _, o := range origins {
			a.say("%-8s  %-6s  %s\n", o.Status, o.Class, o.Path)
		}
		return nil
	case !asJSON:
		a.printOrigin(origins[0])
		return nil
	}
	answer := any(origins)
	if !isFolder {
		answer = origins[0]
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode the origin: %w", err)
	}
	a.say("%s\n", raw)
	return nil
}

// inside makes a path, as typed here, one below the platform's root.
func (a *app) inside(s *session, name string) (string, error) {
	full := name
	if a.root != "" && !filepath.IsAbs(name) {
		full = filepath.Join(s.Root(), name)
	}
	full, err := filepath.Abs(full)
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", name, err)
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(full)); err == nil {
		full = filepath.Join(dir, filepath.Base(full)) // the root is without links too
	}
	rel, err := filepath.Rel(s.Root(), full)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s is outside the platform %s", name, s.Root())
	}
	return filepath.ToSlash(rel), nil
}

// origins are those of the file, or of all files in the folder, sorted by path.
func (s *session) origins(at string, folder bool) ([]origin, error) {
	records, err := s.records(at)
	if err != nil {
		return nil, err
	}
	names := []string{at}
	if folder {
		if names, err = s.filesBelow(at, records); err != nil {
			return nil, err
		}
	}
	var out []origin
	for _, name := range names {
		disk, err := s.Read(name)
		if err != nil {
			return nil, err
		}
		if o := newOrigin(name, disk, records[name]); o.Status != "" {
			out = append(out, o)
		}
	}
	return out, nil
}

// platformName is how the platform is named as the owner of a file.
const platformName = "platform"

// record is what a state says of a file.
type record struct {
	base  plan.Base
	state *workspace.State
	owner string
}

// records are those of every file that may be at or below a path, by path.
func (s *session) records(at string) (map[string]*record, error) {
	owners := []string{platformOwner}
	if parts := strings.SplitN(at, "/", 3); parts[0] == spec.ServicesDir && len(parts) > 1 {
		owners = append(owners, path.Join(parts[0], parts[1]))
	} else {
		entries, err := s.ReadDir(spec.ServicesDir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() {
				owners = append(owners, folder(e.Name()))
			}
		}
	}
	out := make(map[string]*record)
	for _, o := range owners {
		state, err := s.State(o)
		if err != nil {
			return nil, err
		}
		for name, b := range state.Files {
			out[name] = &record{b, state, cmp.Or(o, platformName)}
		}
	}
	return out, nil
}

// filesBelow are the files in a folder, and those recorded there that are gone; what scaffold and git keep for themselves is left out.
func (s *session) filesBelow(at string, records map[string]*record) ([]string, error) {
	var names []string
	err := fs.WalkDir(s.FS(), at, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (e.Name() == ".scaffold" || e.Name() == ".trellis" || e.Name() == ".git"):
			return fs.SkipDir
		case e.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", at, err)
	}
	for name := range records {
		if at == "." || strings.HasPrefix(name, at+"/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func newOrigin(name string, disk *plan.Disk, r *record) origin {
	o := origin{Path: name}
	if r != nil {
		o.Class, o.Frozen = r.base.Class, r.base.Frozen
		o.Template, o.Version, o.Owner, o.Inputs = r.base.Template, r.state.TemplateVersion, r.owner, r.state.Inputs
	}
	switch {
	case r == nil && disk != nil:
		o.Status = "yours"
	case r == nil:
	case disk == nil:
		o.Status = "deleted"
	case plan.Hash(disk.Content) == r.base.Hash:
		o.Status = "pristine"
	default:
		o.Status = "edited"
	}
	return o
}

var classMeaning = map[plan.Class]string{
	plan.Owned:  "scaffold writes it anew at each sync; an edit is drift",
	plan.Merged: "yours and scaffold's: a sync merges both",
	plan.Once:   "made once, yours since then",
}

const frozenMeaning = "made once, and never changes: it may have been applied"

func (a *app) printOrigin(o origin) {
	a.say("%s\n", paint(a.Colour, bold, o.Path))
	a.say("  status    %s\n", o.Status)
	if o.Class == "" {
		a.say("  class     none: scaffold did not make it and never touches it\n")
		return
	}
	meaning := classMeaning[o.Class]
	if o.Frozen {
		meaning = frozenMeaning
	}
	a.say("  class     %s: %s\n", o.Class, meaning)
	a.say("  template  %s, version %s\n", o.Template, o.Version)
	if o.Owner == platformName {
		a.say("  inputs    %s\n", spec.PlatformFile)
		return
	}
	inputs := ""
	if len(o.Inputs) > 0 {
		inputs = ", " + string(o.Inputs)
	}
	a.say("  inputs    %s and the contracts it names%s\n", path.Join(o.Owner, spec.ServiceFile), inputs)
	for _, from := range o.From {
		a.say("            %s: %s\n", from.Path, from.Why)
	}
}

// sources are the declarations of others that the file follows from; none where they cannot be read.
func (s *session) sources(o origin) []source {
	if !s.renderer.Connects(o.Template) {
		return nil
	}
	m, err := spec.Load(s.FS())
	if err != nil {
		return nil
	}
	service := m.Service(path.Base(o.Owner))
	if service == nil {
		return nil
	}
	all := []source{{spec.PlatformFile, "name, namespace, trust domain, registry, hosts of the gateway, tokens"}}
	add := func(services []*spec.Service, why string) {
		for _, other := range services {
			if other.Name != service.Name {
				all = append(all, source{path.Join(other.Dir, spec.ServiceFile), why})
			}
		}
	}
	add(m.Callers(service.Name), "it calls "+service.Name)
	add(m.Callees(service.Name), service.Name+" calls it")
	add(tokens(m, service), "one of the two verifies tokens that the other issues")
	for _, e := range service.Externals {
		add(m.External(e.Host), "it declares "+e.Host+", too")
	}
	return all
}
