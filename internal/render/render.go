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
	"fmt"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// Renderer holds the parsed template set. It may be used by several goroutines at once.
type Renderer struct{}

// New parses the embedded template set.
func New() (*Renderer, error) { return &Renderer{}, nil }

// Version names the template set: it is recorded in a service's state and in conflict labels.
func (r *Renderer) Version() string { return "0.1.0" }

// Inputs is what a service was made with and what stands in no declaration; it is kept in the service's state.
type Inputs struct {
	// Resource is the noun of the seeded contract and store, such as greeting; empty for DefaultResource.
	Resource string `json:"resource,omitempty"`
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

// Seeds gives the declarations of a new service: service.yaml, its OpenAPI contract, and a schema for each published event
// that has none yet. All are the person's from then on, and Service does not render them again.
func (r *Renderer) Seeds(in SeedInput) ([]plan.File, error) {
	return nil, fmt.Errorf("render %s: no templates yet", in.Service.Name)
}

// Service renders every file that follows from the declarations of the service of that name, sorted by path. A nil cache
// renders all of them anew.
func (r *Renderer) Service(m *spec.Model, name string, in Inputs, cache Cache) ([]plan.File, error) {
	if m.Service(name) == nil {
		return nil, fmt.Errorf("render %s: no such service", name)
	}
	return nil, fmt.Errorf("render %s: no templates yet", name)
}

// IsSeed reports whether a template, by the name in plan.File, is one of those that only Seeds renders. Files made from them
// must not be deleted because Service does not name them.
func (r *Renderer) IsSeed(template string) bool { return false }

// DefaultResource is the noun for a service whose Inputs name none: its name without a trailing s.
func DefaultResource(service string) string {
	if n := len(service); n > 1 && service[n-1] == 's' {
		return service[:n-1]
	}
	return service
}

// Cache gives back what was rendered before.
type Cache interface {
	// Content returns the unedited content of the file at path if it was rendered from inputs of that hash.
	Content(path, inputHash string) (content []byte, ok bool)
}
