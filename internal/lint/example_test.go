package lint_test

import (
	"fmt"
	"testing/fstest"

	"github.com/trellis-mesh/trellis/internal/lint"
	"github.com/trellis-mesh/trellis/internal/spec"
)

func ExampleCheck() {
	model, err := spec.Load(fstest.MapFS{
		"go.mod":                            {Data: []byte("module example.com/shop\n")},
		"platform.yaml":                     {Data: []byte("name: shop\n")},
		"services/catalog/service.yaml":     {Data: []byte("name: catalog\n")},
		"services/catalog/api/openapi.yaml": {Data: []byte("openapi: 3.0.3\ninfo: {title: catalog, version: 1.0.0}\npaths: {}\n")},
		"services/orders/service.yaml":      {Data: []byte("name: orders\ncalls:\n  catalogue: {operations: [getProduct]}\n")},
		"services/orders/api/openapi.yaml":  {Data: []byte("openapi: 3.0.3\ninfo: {title: orders, version: 1.0.0}\npaths: {}\n")},
	})
	fmt.Println(err)
	fmt.Println(lint.Check(model, nil))
	// Output:
	// <nil>
	// services/orders/service.yaml:3:3: orders calls catalogue, but there is no such service
	//     did you mean catalog?
}
