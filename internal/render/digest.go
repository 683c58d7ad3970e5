package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// engine is the version of how this package and oapi-codegen turn templates and declarations into files. It must change
// whenever they give other content for the same inputs; TestEngineChangesWithItsOutput sees to that.
const engine = 6

// digest identifies all declarations that the service's files follow from.
func (d *service) digest() (string, error) {
	own := *d.Service
	own.Contract, own.Positions = nil, nil
	announced := ""
	if e := d.Announced(); e != nil {
		announced = e.Type
	}
	declared := struct {
		Module, Namespace, Registry, Platform string
		Service                               any
		Resource                              string
		Announced                             string
		CalleePorts                           []int
		Mesh                                  meshInputs
		Observability                         spec.Observability
	}{d.Module, d.Platform.Namespace, d.Platform.Registry, d.Platform.Name, own, d.Resource.Name, announced, nil, d.meshInputs(), d.Platform.Observability}
	for _, c := range d.Callees {
		declared.CalleePorts = append(declared.CalleePorts, c.Port)
	}
	text, err := json.Marshal(declared)
	if err != nil {
		return "", fmt.Errorf("%s: %w", d.Name, err)
	}
	h := sha256.New()
	add := func(part []byte) {
		_, _ = fmt.Fprintf(h, "%d\n", len(part)) // a hash never fails
		_, _ = h.Write(part)
	}
	add(text)
	add(d.Contract.Raw)
	for _, c := range d.Callees {
		add(c.service.Contract.Raw)
	}
	for _, e := range d.EventTypes() {
		if e.Schema != nil {
			add(e.Schema.Raw)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// contractDigest identifies the service's contract and where it lies.
func contractDigest(module, path string, raw []byte) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\n%s\n%s", module, path, raw) // a hash never fails
	return hex.EncodeToString(h.Sum(nil))
}

// inputHash identifies one file's content by what it is made from.
func inputHash(entryHash, digest, path string) string {
	sum := sha256.Sum256([]byte(entryHash + "\n" + digest + "\n" + path))
	return hex.EncodeToString(sum[:16])
}
