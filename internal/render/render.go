// Package render turns declarations and templates into files in memory. It touches no disk, clock or network and ranges
// over no map, so that the same declarations give the same bytes on any machine.
//
// It decides nothing about what becomes of the files: see package plan. Which files a service has, and when, stands in
// the template set's manifest.yaml, not here.
//
//	r, err := render.New()
//	files, err := r.Service(model, "orders", render.Inputs{}, nil)
package render

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/templates"
)

// Renderer holds the template sets. It may be used by several goroutines at once. What it makes of a contract it remembers,
// so that the callers of a service and the service itself share the work.
type Renderer struct {
	services *set
	platform *set
	code     memo[string]
	clients  memo[*client]
}

// Inputs is what a service was made with and what stands in no declaration; it is kept in the service's state.
type Inputs struct {
	// Resource is the noun of the seeded contract and store, such as greeting; empty for DefaultResource.
	Resource string `json:"resource,omitempty"`
	// Announces is the event type that creating the resource announces, empty for none. It is settled once, so that an event
	// that is declared later is published by nothing before a person does it. Where nothing was recorded, it is the first
	// that service.yaml names.
	Announces *string `json:"announces,omitempty"`
}

// NewInputs are those of a new service with a resource, empty for DefaultResource, and published event types. Creating the
// resource announces the event that says so, such as greeting.created.v1, or else the first.
func NewInputs(service, resource string, publishes []string) Inputs {
	announced := ""
	created := cmp.Or(resource, DefaultResource(service)) + ".created"
	if i := slices.IndexFunc(publishes, func(t string) bool { return withoutVersion(t) == created }); i >= 0 {
		announced = publishes[i]
	} else if len(publishes) > 0 {
		announced = publishes[0]
	}
	return Inputs{Resource: resource, Announces: &announced}
}

// SeedInput is what Seeds makes a new service's declarations from.
type SeedInput struct {
	// Model is the platform as it is, without the new service.
	Model *spec.Model
	// Service is the new service, with its defaults filled in and its Dir set. Its Contract is not read.
	Service *spec.Service
	// Declaration is the text of its service.yaml.
	Declaration []byte
	Inputs      Inputs
}

// Cache gives back what was rendered before.
type Cache interface {
	// Content returns the unedited content of the file at path if it was rendered from inputs of that hash.
	Content(path, inputHash string) (content []byte, ok bool)
}

// New reads the embedded template sets.
func New() (*Renderer, error) {
	services, err := loadSet(templates.FS, "service")
	if err != nil {
		return nil, err
	}
	platform, err := loadSet(templates.FS, "platform")
	if err != nil {
		return nil, err
	}
	return &Renderer{services: services, platform: platform}, nil
}

// Version names the template sets: it is recorded in a service's state and stands in conflict labels.
func (r *Renderer) Version() string { return r.services.Version }

// DefaultResource is the noun for a service whose Inputs name none: its name in the singular.
func DefaultResource(service string) string { return singular(service) }

// IsSeed reports whether a template, by the name in plan.File, is one of those that only Seeds renders. Their files must
// not be deleted because Service does not give them.
func (r *Renderer) IsSeed(template string) bool {
	return slices.ContainsFunc(r.services.Files, func(e *entry) bool {
		return e.Seed && template == r.services.templateName(e)
	})
}

// Connects reports whether what a template gives follows from the declarations of other services, too: of those that call the
// service, are called by it, or share a host or the tokens with it.
func (r *Renderer) Connects(template string) bool {
	return slices.ContainsFunc(r.services.Files, func(e *entry) bool {
		return e.From == "mesh" && template == r.services.templateName(e)
	})
}

// Seeds gives the declarations of a new service: service.yaml, its OpenAPI contract, and a schema for each published event
// that has none yet. All are the person's from then on, and Service does not render them again.
func (r *Renderer) Seeds(in SeedInput) ([]plan.File, error) {
	s := *in.Service
	s.Contract = nil
	d, err := r.newService(in.Model, &s, in.Inputs)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", in.Service.Name, err)
	}
	d.Declaration = string(in.Declaration)
	return r.files(d, true, nil)
}

// Service renders every file that follows from the declarations of the service of that name, sorted by path. A nil cache
// renders all of them anew.
func (r *Renderer) Service(m *spec.Model, name string, in Inputs, cache Cache) ([]plan.File, error) {
	s := m.Service(name)
	switch {
	case s == nil:
		return nil, fmt.Errorf("render %s: there is no such service", name)
	case s.Contract == nil:
		return nil, fmt.Errorf("render %s: it has no contract at %s", name, path.Join(s.Dir, s.HTTP.Contract))
	}
	d, err := r.newService(m, s, in)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return r.files(d, false, cache)
}

func (r *Renderer) files(d *service, seeds bool, cache Cache) ([]plan.File, error) {
	var digest string
	if !seeds {
		var err error
		if digest, err = d.digest(); err != nil {
			return nil, err
		}
	}
	files, err := r.each(d, seeds, func(v view) (plan.File, bool, error) {
		v.cache = cache
		return r.file(v, digest)
	})
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", d.Name, err)
	}
	slices.SortFunc(files, func(a, b plan.File) int { return strings.Compare(a.Path, b.Path) })
	for i := range files[min(1, len(files)):] {
		if files[i].Path == files[i+1].Path {
			return nil, fmt.Errorf("render %s: both %s and %s make %s", d.Name, files[i].Template, files[i+1].Template, files[i].Path)
		}
	}
	return files, nil
}

// each renders, in parallel, a file for every entry and each thing that it is made for.
func (r *Renderer) each(d *service, seeds bool, render func(view) (plan.File, bool, error)) ([]plan.File, error) {
	var views []view
	for _, e := range r.services.Files {
		if e.Seed != seeds {
			continue
		}
		for _, item := range d.items(e.Each) {
			views = append(views, view{service: d, Item: item, entry: e})
		}
	}
	made, applies, errs := make([]plan.File, len(views)), make([]bool, len(views)), make([]error, len(views))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, v := range views {
		group.Go(func() error {
			made[i], applies[i], errs[i] = render(v)
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs, so that the same one is told each time
	var files []plan.File
	for i, file := range made {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if applies[i] {
			files = append(files, file)
		}
	}
	return files, nil
}

// items are the things that an entry makes a file for: one, or as many as there are.
func (d *service) items(of string) []any {
	switch of {
	case "operations":
		return anys(d.Operations)
	case "publishes":
		return anys(d.Publishes)
	case "consumes":
		return anys(d.Consumes)
	}
	return []any{nil}
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// file renders one file, or tells that its condition does not hold.
func (r *Renderer) file(v view, digest string) (plan.File, bool, error) {
	ok, err := v.entry.applies(v)
	if err != nil || !ok {
		return plan.File{}, false, err
	}
	file := plan.File{Class: v.entry.Class, Mode: v.entry.mode, Template: r.services.templateName(v.entry), Frozen: v.entry.Frozen}
	if file.Path, err = v.filePath(); err != nil {
		return plan.File{}, false, err
	}
	v.Path, v.extra = file.Path, map[string]string{}
	if file.Provides, err = execute(v.entry.provides, v.entry.Provides, v); err != nil {
		return plan.File{}, false, err
	}
	if digest != "" {
		if file.InputHash, err = v.inputHash(digest); err != nil {
			return plan.File{}, false, err
		}
	}
	if v.cache != nil {
		if content, ok := v.cache.Content(file.Path, file.InputHash); ok {
			file.Content = content
			return file, true, nil
		}
	}
	file.Content, err = v.content()
	return file, len(file.Content) > 0, err
}

func (v view) filePath() (string, error) {
	name, err := execute(v.entry.path, v.entry.Path, v)
	if err != nil {
		return "", err
	}
	if rest, ok := strings.CutPrefix(name, "/"); ok {
		return rest, nil
	}
	return v.Dir + "/" + name, nil
}

func (v view) inputHash(digest string) (string, error) {
	hashes, err := v.r.services.hash()
	if err != nil {
		return "", err
	}
	if v.entry.From == "contract" {
		digest = contractDigest(v.Module, v.Contract.Path, v.Contract.Raw)
	}
	return inputHash(hashes[v.entry], digest, v.Path), nil
}

func (v view) content() ([]byte, error) {
	text, err := v.r.services.text(v.entry, v)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if !strings.HasSuffix(v.Path, ".go") {
		return []byte(text), nil
	}
	content, err := goSource(text, v.packages(), v.Module)
	var twice *duplicateError
	switch {
	case errors.As(err, &twice) && v.entry.From == "contract":
		return nil, fmt.Errorf("%s: a schema becomes the Go type %s, which the generated code has already: rename the schema, or "+
			"give it x-go-name", v.Contract.Path, twice.name)
	case err != nil:
		return nil, fmt.Errorf("%s does not become a Go file: %w", v.entry.Template, err)
	}
	return content, nil
}

// templateName is the name of an entry's template in plan.File.
func (s *set) templateName(e *entry) string { return s.name + "/" + e.Template }

func (r *Renderer) openAPI(c *spec.Contract) (string, error) {
	return r.code.get(string(c.Raw), func() (string, error) {
		text, err := openAPI(c.Raw)
		if err != nil {
			return "", errContract(c.Path, err)
		}
		return text, nil
	})
}
