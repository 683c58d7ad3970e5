package contractfuzz

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// operation is one of a contract.
type operation struct {
	*openapi3.Operation
	method, path string
	parameters   []*openapi3.Parameter
	media        []string // of the body
	route        *routers.Route
}

func (o *operation) String() string { return o.method + " " + o.path }

// operations reads a contract. What writes comes first, so that what reads finds something.
func operations(contract []byte) ([]*operation, error) {
	doc, err := openapi3.NewLoader().LoadFromData(contract)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	var all []*operation
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			o := &operation{Operation: op, method: method, path: path}
			o.route = &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op}
			for _, p := range item.Parameters {
				if op.Parameters.GetByInAndName(p.Value.In, p.Value.Name) == nil {
					o.parameters = append(o.parameters, p.Value)
				}
			}
			for _, p := range op.Parameters {
				o.parameters = append(o.parameters, p.Value)
			}
			if op.RequestBody != nil && op.RequestBody.Value != nil {
				o.media = slices.Sorted(maps.Keys(op.RequestBody.Value.Content))
			}
			all = append(all, o)
		}
	}
	if len(all) == 0 || len(all) > 256 {
		return nil, fmt.Errorf("the contract has %d operations: one byte chooses among them", len(all))
	}
	rank := map[string]int{http.MethodPost: 1, http.MethodPut: 2, http.MethodPatch: 3, http.MethodGet: 4, http.MethodDelete: 5}
	slices.SortFunc(all, func(a, b *operation) int {
		return cmp.Or(cmp.Compare(rank[a.method], rank[b.method]), strings.Compare(a.path, b.path))
	})
	return all, nil
}

// declares reports whether the operation names the status itself, not by a default.
func (o *operation) declares(status int) bool { return o.Responses.Status(status) != nil }

// matches gives the path parameters of a path that is the operation's.
func (o *operation) matches(method, path string) (map[string]string, bool) {
	want, got := strings.Split(o.path, "/"), strings.Split(path, "/")
	if method != o.method || len(want) != len(got) {
		return nil, false
	}
	values := map[string]string{}
	for i, segment := range want {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			values[strings.TrimSuffix(name, "}")] = got[i]
		} else if segment != got[i] {
			return nil, false
		}
	}
	return values, true
}
