package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/render"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/workspace"
)

// session is an open platform.
type session struct {
	*workspace.Workspace
	renderer *render.Renderer
	// remade is the folder of a service that is made where nothing but the records of a removed one are left; empty for none.
	remade string
}

// findRoot is --root, or the nearest folder up from here that is a platform.
func (a *app) findRoot() (string, error) {
	if a.root != "" {
		if _, err := os.Stat(filepath.Join(a.root, workspace.Marker)); err != nil {
			return "", fmt.Errorf("--root %s: there is no %s in it", a.root, workspace.Marker)
		}
		return a.root, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the platform: %w", err)
	}
	return workspace.Find(here)
}

// open opens the platform and tells what was put right in doing so.
func (a *app) open() (*session, error) {
	root, err := a.findRoot()
	if err != nil {
		return nil, err
	}
	ws, err := workspace.Open(root)
	if err != nil {
		return nil, err
	}
	renderer, err := render.New()
	if err != nil {
		return nil, errors.Join(err, ws.Close())
	}
	a.notices(ws.Notices())
	return &session{Workspace: ws, renderer: renderer}, nil
}

// with opens the platform for the time of one function that reads its services.
func (a *app) with(fn func(*session) error) error {
	return a.withAny(func(s *session) error {
		if err := s.plainServices(); err != nil {
			return refuse(err)
		}
		return fn(s)
	})
}

// withAny opens the platform, whatever its services are, for the time of one function.
func (a *app) withAny(fn func(*session) error) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	err = fn(s)
	if closed := s.Close(); err == nil {
		err = closed
	}
	return err
}

// plainServices refuses services whose folder is a link: what is written there would be another folder's.
func (s *session) plainServices() error {
	entries, err := s.ReadDir(spec.ServicesDir)
	if err != nil {
		return err
	}
	var problems spec.Problems
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		// A link to nothing is no service, and in nobody's way.
		if _, err := fs.Stat(s.FS(), folder(e.Name())); !errors.Is(err, fs.ErrNotExist) {
			problems.Add(spec.Position{File: folder(e.Name())}, "put a real folder there", "it is a symbolic link, which scaffold does not follow")
		}
	}
	return problems.Err()
}

func (a *app) notices(notices []string) {
	for _, n := range notices {
		a.aside("%s %s\n", paint(a.ErrColour, yellow, "note:"), n)
	}
}

// platformOwner is the platform itself: its state is in .scaffold at the root.
const platformOwner = ""

// folder is where a service lives, relative to the root.
func folder(service string) string { return path.Join(spec.ServicesDir, service) }

// owner is a service with its state as it was when the command began.
type owner struct {
	service *spec.Service
	state   *workspace.State
	inputs  render.Inputs
}

func (s *session) owner(service *spec.Service) (owner, error) {
	state, err := s.State(service.Dir)
	if err != nil {
		return owner{}, err
	}
	if service.Dir == s.remade {
		state = &workspace.State{Files: map[string]plan.Base{}}
	}
	o := owner{service: service, state: state}
	if len(state.Inputs) > 0 {
		if err := json.Unmarshal(state.Inputs, &o.inputs); err != nil {
			return owner{}, fmt.Errorf("read the inputs in the state of %s: %w", service.Dir, err)
		}
	}
	return o, nil
}

// rendered is what follows from the declarations for some services.
type rendered struct {
	files []plan.File
	plan  *plan.Plan
}

// follow renders what follows from the model for the named services, all when none are named, and plans what becomes of the files.
func (s *session) follow(ctx context.Context, m *spec.Model, names []string, opt plan.Options) (rendered, error) {
	services := m.Services
	if len(names) > 0 {
		services = nil
		for _, name := range names {
			service := m.Service(name)
			if service == nil {
				return rendered{}, noService(m, name)
			}
			services = append(services, service)
		}
	}
	results := make([]rendered, len(services))
	group, _ := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, service := range services {
		group.Go(func() error {
			o, err := s.owner(service)
			if err == nil {
				results[i], err = s.followOne(m, o, nil, opt)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return rendered{}, err
	}
	if len(names) > 0 {
		return join(results...)
	}
	platform, err := s.followPlatform(m, opt)
	if err != nil {
		return rendered{}, err
	}
	left, err := s.leftovers()
	if err != nil {
		return rendered{}, err
	}
	return join(append([]rendered{platform, left}, results...)...)
}

// recordsDir is the folder of a service's records.
const recordsDir = ".scaffold"

// onlyRecords reports whether nothing but scaffold's records are left of a service.
func (s *session) onlyRecords(dir string) (bool, error) {
	entries, err := s.ReadDir(dir)
	return err == nil && len(entries) == 1 && entries[0].Name() == recordsDir && entries[0].IsDir(), err
}

// leftovers plans the end of the records that are all that is left of removed services.
func (s *session) leftovers() (rendered, error) {
	p := new(plan.Plan)
	services, err := s.ReadDir(spec.ServicesDir)
	if err != nil {
		return rendered{}, err
	}
	for _, e := range services {
		dir := folder(e.Name())
		if !e.IsDir() {
			continue
		}
		if only, err := s.onlyRecords(dir); err != nil || !only {
			if err != nil {
				return rendered{}, err
			}
			continue
		}
		err := fs.WalkDir(s.FS(), path.Join(dir, recordsDir), func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			file, err := s.Read(name)
			if err == nil && file != nil {
				p.Actions = append(p.Actions, plan.Action{
					Path: name, Op: plan.Delete, Owner: platformOwner, Reason: "nothing else is left of the service", Old: file.Content, OldMode: file.Mode,
				})
			}
			return err
		})
		if err != nil {
			return rendered{}, fmt.Errorf("look at what is left of %s: %w", dir, err)
		}
	}
	return rendered{plan: p}, nil
}

// followPlatform is follow for the files that belong to no service. They begin with the first service.
func (s *session) followPlatform(m *spec.Model, opt plan.Options) (rendered, error) {
	state, err := s.State(platformOwner)
	if err != nil {
		return rendered{}, err
	}
	if len(m.Services) == 0 && len(state.Files) == 0 {
		return rendered{plan: new(plan.Plan)}, nil
	}
	files, err := s.renderer.Platform(m, cache{s, state})
	if err != nil {
		return rendered{}, err
	}
	opt.Owner, opt.Version = platformOwner, s.renderer.Version()
	p, err := plan.Build(state.Files, s, files, opt)
	return rendered{files, p}, err
}

// followServices plans the files that belong to no service where there are none yet. Where there are some, it plans those
// that name the services; the others are up to sync.
func (s *session) followServices(m *spec.Model) (rendered, error) {
	state, err := s.State(platformOwner)
	if err != nil {
		return rendered{plan: new(plan.Plan)}, err
	}
	all, err := s.followPlatform(m, plan.Options{})
	if err != nil {
		return rendered{}, err
	}
	settle(all.plan)
	if len(state.Files) > 0 {
		all.files = slices.DeleteFunc(all.files, func(f plan.File) bool { return !s.renderer.NamesServices(f.Path) })
		all.plan.Actions = slices.DeleteFunc(all.plan.Actions, func(a plan.Action) bool { return !s.renderer.NamesServices(a.Path) })
	}
	return all, nil
}

// followOne is follow for one service; seeds are files that are made with it.
func (s *session) followOne(m *spec.Model, o owner, seeds []plan.File, opt plan.Options) (rendered, error) {
	files, err := s.renderer.Service(m, o.service.Name, o.inputs, cache{s, o.state})
	if err != nil {
		return rendered{}, err
	}
	// Seeds are the person's from the start: that they aren't rendered again is no reason to plan anything for them.
	recorded := make(map[string]plan.Base, len(o.state.Files))
	for name, b := range o.state.Files {
		if !s.renderer.IsSeed(b.Template) {
			recorded[name] = b
		}
	}
	opt.Owner, opt.Version = o.service.Dir, s.renderer.Version()
	files = slices.Concat(seeds, files)
	p, err := plan.Build(recorded, s, files, opt)
	return rendered{files, p}, err
}

func join(parts ...rendered) (rendered, error) {
	var all rendered
	plans := make([]*plan.Plan, 0, len(parts))
	for _, r := range parts {
		all.files = append(all.files, r.files...)
		plans = append(plans, r.plan)
	}
	var err error
	all.plan, err = plan.Join(plans...)
	return all, err
}

// cache gives the renderer what it rendered before, if nobody has edited it.
type cache struct {
	session *session
	state   *workspace.State
}

// Content implements render.Cache.
func (c cache) Content(name, inputHash string) ([]byte, bool) {
	b, known := c.base(name)
	if !known || inputHash == "" || b.InputHash != inputHash {
		return nil, false
	}
	disk, err := c.session.Read(name)
	if err != nil || disk == nil || plan.Hash(disk.Content) != b.Hash {
		return nil, false
	}
	return disk.Content, true
}

// base is what was rendered last for a path. The renderer asks for a file of another service where this one calls it.
func (c cache) base(name string) (plan.Base, bool) {
	if b, known := c.state.Files[name]; known {
		return b, true
	}
	parts := strings.Split(name, "/")
	if len(parts) < 3 || parts[0] != spec.ServicesDir {
		return plan.Base{}, false
	}
	state, err := c.session.State(folder(parts[1]))
	if err != nil {
		return plan.Base{}, false
	}
	b, known := state.Files[name]
	return b, known
}

// noService is the error for a name that no service has.
func noService(m *spec.Model, name string) error {
	if len(m.Services) == 0 {
		return fmt.Errorf("no service %q: there are none yet: make one with `scaffold new %s`", name, name)
	}
	names := make([]string, 0, len(m.Services))
	for _, s := range m.Services {
		names = append(names, s.Name)
	}
	const many = 12
	if len(names) > many {
		names = append(names[:many], "…")
	}
	return fmt.Errorf("no service %q: there are %s", name, strings.Join(names, ", "))
}

// tokens are the services that verify the named one's tokens, or the one that issues those that it verifies.
func tokens(m *spec.Model, s *spec.Service) []*spec.Service {
	issuer := m.Issuer()
	switch {
	case issuer == nil:
		return nil
	case issuer.Name != s.Name && s.Contract.Secured():
		return []*spec.Service{issuer}
	case issuer.Name != s.Name:
		return nil
	}
	return slices.DeleteFunc(slices.Clone(m.Services), func(s *spec.Service) bool { return !s.Contract.Secured() })
}

// neighbours are the services whose files depend on the named one's declaration, sorted.
func neighbours(m *spec.Model, name string) []string {
	var out []string
	add := func(services []*spec.Service) {
		for _, s := range services {
			if s.Name != name {
				out = append(out, s.Name)
			}
		}
	}
	add(m.Callers(name))
	add(m.Callees(name))
	if s := m.Service(name); s != nil {
		for _, t := range slices.Concat(s.Events.Publishes, s.Events.Consumes) {
			add(m.Publishers(t))
			add(m.Consumers(t))
		}
		for _, e := range s.Externals {
			add(m.External(e.Host))
		}
		add(tokens(m, s))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
