// Package lint holds the desk checks: what can be proven about a platform from its declarations, and from the files rendered
// from them, without running anything. Package spec has checked each file by itself; here it is whether they agree.
//
// Two words about time. A service's own deadline is http.timeout, 15s unless it says otherwise: the server gives up a request
// then, whatever it waits for. A call's timeout bounds the call with all its attempts. Calls of one request may be under way
// at the same time, so each one by itself, not their sum, must fit into the deadline, with something left to answer in.
//
//	model, err := spec.Load(os.DirFS(root))
//	…
//	if problems := lint.Check(model, files); len(problems) > 0 { … }
package lint

import (
	"errors"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// Check proves the model, and the rendered files against it; files may be those of some services only, or none. The problems
// are sorted by place.
//
// Contracts are looked at for their operations only. That they are valid OpenAPI is proven by Contracts, and by the renderer
// for those that it renders from.
func Check(m *spec.Model, files []plan.File) spec.Problems {
	c := &checks{model: m}
	for _, s := range m.Services {
		c.workload(s)
		c.databases(s)
		c.calls(s)
		c.ingress(s)
		c.mesh(s)
		c.events(s)
		c.expectations(s)
		c.metrics(s)
	}
	c.cycles()
	c.namespace()
	c.issuer()
	c.outside()
	c.externals()
	problems := append(c.problems, manifests(m, files)...)
	problems = append(problems, dashboards(files)...)
	problems.Sort()
	return problems
}

// Contracts proves that every contract is valid OpenAPI 3.0, and that contracts and events are what their consumers expect. It costs about
// a millisecond a contract.
func Contracts(m *spec.Model) spec.Problems {
	found := make([]spec.Problems, len(m.Services))
	m.Each(func(i int, s *spec.Service) {
		if _, err := s.Contract.Doc(); err != nil {
			errors.As(err, &found[i])
		}
	})
	var problems spec.Problems
	for _, p := range found {
		problems = append(problems, p...)
	}
	if len(problems) == 0 {
		problems = breaches(m)
	}
	problems.Sort()
	return problems
}

// checks collects what the checks of a model find.
type checks struct {
	model    *spec.Model
	problems spec.Problems
}
