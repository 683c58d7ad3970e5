package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// platformView is what a template of the platform sees: platform.yaml, and no service. A new service so changes no file of
// the platform.
type platformView struct{ *spec.Platform }

// Platform renders the files that belong to no service, sorted by path. A nil cache renders all of them anew.
func (r *Renderer) Platform(p *spec.Platform, cache Cache) ([]plan.File, error) {
	declared, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.PlatformFile, err)
	}
	sum := sha256.Sum256(declared)
	digest := hex.EncodeToString(sum[:])
	hashes, err := r.platform.hash()
	if err != nil {
		return nil, err
	}
	var files []plan.File
	for _, e := range r.platform.Files {
		file := plan.File{
			Path: e.Path, Class: e.Class, Mode: e.mode, Frozen: e.Frozen, Template: r.platform.templateName(e),
			InputHash: inputHash(hashes[e], digest, e.Path),
		}
		if file.Content, err = r.platformContent(p, e, file, cache); err != nil {
			return nil, fmt.Errorf("render %s: %w", e.Path, err)
		}
		files = append(files, file)
	}
	slices.SortFunc(files, func(a, b plan.File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

func (r *Renderer) platformContent(p *spec.Platform, e *entry, file plan.File, cache Cache) ([]byte, error) {
	if cache != nil {
		if content, ok := cache.Content(file.Path, file.InputHash); ok {
			return content, nil
		}
	}
	text, err := r.platform.text(e, platformView{p})
	return []byte(text), err
}
