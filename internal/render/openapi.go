package render

import (
	"fmt"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// oapiCodegen is not to be run twice at once: the library keeps what it works on in package variables.
var oapiCodegen sync.Mutex

// openAPI gives the Go types, the strict Gin server and the client of a contract, without imports and unformatted. The
// library's own formatting looks for imports on the disk and costs more than all the rest; see goSource.
func openAPI(raw []byte) (string, error) {
	// A document of its own, since the library writes into it.
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return "", err
	}
	oapiCodegen.Lock()
	defer oapiCodegen.Unlock()
	return codegen.Generate(doc, codegen.Configuration{
		PackageName: "api",
		Generate:    codegen.GenerateOptions{GinServer: true, Strict: true, Client: true, Models: true},
		OutputOptions: codegen.OutputOptions{
			SkipFmt:        true,
			SkipPrune:      true,
			NameNormalizer: string(codegen.NameNormalizerFunctionToCamelCaseWithInitialisms),
			UserTemplates:  map[string]string{"imports.tmpl": importsTemplate},
		},
	})
}

// importsTemplate is the head of the generated file: only the imports that the contract itself asks for by x-go-type. The
// line break tells the library that this is a template and not a file's name.
const importsTemplate = `{{with .ExternalImports}}import (
{{range .}}	{{.}}
{{end}})
{{end}}
`

// memo makes each value once, whichever goroutine asks first.
type memo[T any] struct {
	mu     sync.Mutex
	values map[string]func() (T, error)
}

func (m *memo[T]) get(key string, first func() (T, error)) (T, error) {
	m.mu.Lock()
	value, known := m.values[key]
	if !known {
		if m.values == nil {
			m.values = map[string]func() (T, error){}
		}
		value = sync.OnceValues(first)
		m.values[key] = value
	}
	m.mu.Unlock()
	return value()
}

// errContract says which contract oapi-codegen could not make Go of.
func errContract(path string, err error) error {
	return fmt.Errorf("%s: generate Go: %w", path, err)
}
