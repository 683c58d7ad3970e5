package spec_test

import (
	"fmt"
	"testing/fstest"

	"github.com/trellis-mesh/trellis/internal/spec"
)

func ExampleLoad() {
	platform := fstest.MapFS{
		"go.mod":                            {Data: []byte("module example.com/shop\n")},
		"platform.yaml":                     {Data: []byte("name: shop\n")},
		"services/catalog/service.yaml":     {Data: []byte("name: catalog\nhttp: {prot: 8081}\n")},
		"services/catalog/api/openapi.yaml": {Data: []byte("openapi: 3.0.3\ninfo: {title: catalog, version: 1.0.0}\npaths: {}\n")},
	}
	_, err := spec.Load(platform)
	fmt.Println(err)

	platform["services/catalog/service.yaml"].Data = []byte("name: catalog\nhttp: {port: 8081}\n")
	model, err := spec.Load(platform)
	fmt.Println(model.Module, model.Service("catalog").HTTP.Port, err)
	// Output:
	// services/catalog/service.yaml:2:8: unknown key "prot" in http
	//     did you mean port?
	// example.com/shop 8081 <nil>
}

func ExampleEdit() {
	edited, err := spec.Edit([]byte("name: orders # takes them\n\nevents:\n  publishes: [order.created.v1]\n"),
		spec.AddPublished("order.cancelled.v1"),
		spec.AddCall("catalog", "getProduct"))
	fmt.Print(string(edited))
	fmt.Println(err)
	// Output:
	// name: orders # takes them
	// calls:
	//   catalog:
	//     operations: [getProduct]
	//
	// events:
	//   publishes: [order.created.v1, order.cancelled.v1]
	// <nil>
}
