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

// platformView is what a template of the platform sees: platform.yaml, and no service, so that a new service changes no file
// of the platform. Only those whose entry says `from: services` see them.
type platformView struct {
	*spec.Platform
	Services []*spec.Service
}

// Platform renders the files that belong to no service, sorted by path. A nil cache renders all of them anew.
func (r *Renderer) Platform(m *spec.Model, cache Cache) ([]plan.File, error) {
	digest, err := declaredDigest(m.Platform)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.PlatformFile, err)
	}
	watched := make([]spec.Service, len(m.Services))
	for i, s := range m.Services {
		watched[i] = *s
		watched[i].Contract, watched[i].Positions = nil, nil
	}
	all, err := declaredDigest([]any{m.Platform, watched})
	if err != nil {
		return nil, err
	}
	hashes, err := r.platform.hash()
	if err != nil {
		return nil, err
	}
	var files []plan.File
	for _, e := range r.platform.Files {
		view, digest := platformView{Platform: m.Platform}, digest
		if e.From == fromServices {
			view.Services, digest = m.Services, all
		}
		file := plan.File{
			Path: e.Path, Class: e.Class, Mode: e.mode, Frozen: e.Frozen, Template: r.platform.templateName(e),
			InputHash: inputHash(hashes[e], digest, e.Path),
		}
		if file.Content, err = r.platformContent(view, e, file, cache); err != nil {
			return nil, fmt.Errorf("render %s: %w", e.Path, err)
		}
		files = append(files, file)
	}
	slices.SortFunc(files, func(a, b plan.File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// NamesServices reports whether a file of the platform follows from the services, too.
func (r *Renderer) NamesServices(file string) bool {
	return slices.ContainsFunc(r.platform.Files, func(e *entry) bool { return e.Path == file && e.From == fromServices })
}

// fromServices is an entry's from.
const fromServices = "services"

func declaredDigest(declared any) (string, error) {
	text, err := json.Marshal(declared)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

func (r *Renderer) platformContent(view platformView, e *entry, file plan.File, cache Cache) ([]byte, error) {
	if cache != nil {
		if content, ok := cache.Content(file.Path, file.InputHash); ok {
			return content, nil
		}
	}
	text, err := r.platform.text(e, view)
	return []byte(text), err
}
