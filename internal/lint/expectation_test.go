package lint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/internal/spec"
)

const (
	expectationFile = "services/orders/contracts/catalog.yaml"

	// productContract answers with a product, and takes one.
	productContract = `openapi: 3.0.3
info: {title: catalog, version: 1.0.0}
paths:
  /v1/products/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: getProduct
      responses:
        "200":
          description: The product.
          content:
            application/json:
              schema:
                type: object
                required: [id, price]
                properties: {id: {type: string}, price: {type: string}, note: {type: string}}
    put:
      operationId: listProducts
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [name], properties: {name: {type: string}, colour: {type: string}}}
      responses: {"204": {description: Done.}}
`
	// ordersExpect is what orders reads of it.
	ordersExpect = `operations:
  getProduct:
    - path: {id: tea}
      status: 200
      reads:
        id: string
        price: string
  listProducts:
    - path: {id: tea}
      body: {name: Tea}
      status: 204
events:
  product.created.v1:
    id: string
`
	productCreated = `{"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}`
)

// expecting is the shop in which orders says what it expects of catalog, with single files written anew.
func expecting(t *testing.T, files map[string]string) *spec.Model {
	t.Helper()
	all := map[string]string{
		"services/catalog/api/openapi.yaml": productContract, expectationFile: ordersExpect, "contracts/events/product.created.v1.json": productCreated,
	}
	for name, text := range files {
		all[name] = text
	}
	return load(t, all)
}

func TestMetExpectationsAreNoProblem(t *testing.T) {
	m := expecting(t, nil)
	if problems := append(Check(m, nil), Contracts(m)...); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestBreakingChangeNamesTheConsumer changes a provider as a careless hand might.
func TestBreakingChangeNamesTheConsumer(t *testing.T) {
	contract := func(from, to string) map[string]string {
		changed := strings.Replace(productContract, from, to, 1)
		if changed == productContract {
			t.Fatalf("there is no %q", from)
		}
		return map[string]string{"services/catalog/api/openapi.yaml": changed}
	}
	event := func(schema string) map[string]string {
		return map[string]string{"contracts/events/product.created.v1.json": schema}
	}
	const remedy = "\n    take it back, or change orders first and then what it expects"
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a field is removed": {contract("price: {type: string}", "cost: {type: string}"),
			`services/catalog/api/openapi.yaml:7:20: catalog: getProduct answers 200 without price; orders reads it (services/orders/contracts/catalog.yaml:7)` + remedy},
		"a field becomes optional": {contract("required: [id, price]", "required: [id]"),
			`services/catalog/api/openapi.yaml:7:20: catalog: getProduct answers 200 with price that may be missing; orders needs it (services/orders/contracts/catalog.yaml:7)` + remedy},
		"a field gets another type": {contract("price: {type: string}", "price: {type: number}"),
			`services/catalog/api/openapi.yaml:7:20: catalog: getProduct answers 200 with price of the type number; orders reads a string (services/orders/contracts/catalog.yaml:7)` + remedy},
		"a field of the request is required": {contract("required: [name]", "required: [name, colour]"),
			`services/catalog/api/openapi.yaml:18:20: catalog: listProducts refuses a body: at /colour: property "colour" is missing; orders sends it (services/orders/contracts/catalog.yaml:9)` + remedy},
		"a parameter is required": {contract("in: path, required: true, schema: {type: string}}]", "in: path, required: true, schema: {type: string}}, {name: at, in: query, required: true, schema: {type: string}}]"),
			`services/catalog/api/openapi.yaml:7:20: catalog: getProduct needs the query parameter at; orders does not send it (services/orders/contracts/catalog.yaml:3)` + remedy + `
services/catalog/api/openapi.yaml:18:20: catalog: listProducts needs the query parameter at; orders does not send it (services/orders/contracts/catalog.yaml:9)` + remedy},
		"a status is removed": {contract(`{"204": {description: Done.}}`, `{"200": {description: Done.}}`),
			`services/catalog/api/openapi.yaml:18:20: catalog: listProducts does not answer 204; orders awaits it (services/orders/contracts/catalog.yaml:9)` + remedy},
		"an operation is renamed": {contract("operationId: getProduct", "operationId: fetchProduct"),
			`services/orders/contracts/catalog.yaml:2:1: orders expects something of getProduct, but catalog has no such operation
    did you mean fetchProduct?`},
		"a field of an event is removed": {event(`{"type": "object", "properties": {"sku": {"type": "string"}}}`),
			`contracts/events/product.created.v1.json:1:1: catalog: product.created.v1 is told without id; orders reads it (services/orders/contracts/catalog.yaml:14)` + remedy},
		"a field of an event gets another type": {event(`{"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}`),
			`contracts/events/product.created.v1.json:1:1: catalog: product.created.v1 is told with id of the type integer; orders reads a string (services/orders/contracts/catalog.yaml:14)` + remedy},
	} {
		t.Run(name, func(t *testing.T) {
			m := expecting(t, test.files)
			problems := Contracts(m)
			for _, p := range Check(m, nil) {
				if p.File == expectationFile { // the declared call is told beside it
					problems = append(problems, p)
				}
			}
			if diff := cmp.Diff(test.want, problems.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestChangesThatNobodyReadsAreFree: that is what expectations are for.
func TestChangesThatNobodyReadsAreFree(t *testing.T) {
	changed := strings.NewReplacer(", note: {type: string}", ", size: {type: integer}", ", colour: {type: string}", "").Replace(productContract)
	m := expecting(t, map[string]string{"services/catalog/api/openapi.yaml": changed})
	if problems := append(Check(m, nil), Contracts(m)...); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestExpectationsAreAboutWhatIsDeclared(t *testing.T) {
	for name, test := range map[string]struct {
		file, text, want string
	}{
		"no such provider": {"services/orders/contracts/catalogue.yaml", "operations: {}\n",
			`services/orders/contracts/catalogue.yaml:1:1: orders expects something of catalogue, but there is no such service
    did you mean catalog?`},
		"an operation that is not called": {"services/users/contracts/catalog.yaml", "operations:\n  getProduct: [{status: 200}]\n  listProducts: [{status: 200}]\n",
			"services/users/contracts/catalog.yaml:3:1: users expects something of listProducts, which it does not declare to call\n" +
				"    remove it, or declare the call: `scaffold add users call catalog:listProducts`"},
		"an operation that is forgotten": {expectationFile, "operations:\n  getProduct: [{status: 200}]\nevents: {product.created.v1: {}}\n",
			`services/orders/service.yaml:3:38: orders calls listProducts, but services/orders/contracts/catalog.yaml does not say what it expects of it
    write it there, so that a change of catalog cannot break it unseen`},
		"an event that is forgotten": {expectationFile, strings.Split(ordersExpect, "events:")[0],
			`services/orders/service.yaml:4:21: orders consumes product.created.v1, but services/orders/contracts/catalog.yaml does not say what it reads of it
    write it there, so that a change of the event cannot break it unseen`},
		"an event that is not consumed": {"services/users/contracts/catalog.yaml", "operations:\n  getProduct: [{status: 200}]\nevents: {product.created.v1: {}}\n",
			"services/users/contracts/catalog.yaml:3:1: users expects something of product.created.v1, which it does not declare to consume\n" +
				"    remove it, or declare it: `scaffold add users event consume product.created.v1`"},
		"an event of another": {"services/users/contracts/orders.yaml", "operations:\n  getOrder: [{status: 200}]\nevents: {product.created.v1: {}}\n",
			"services/users/contracts/orders.yaml:3:1: users reads product.created.v1, which orders does not publish\n    it publishes: none"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Check(expecting(t, map[string]string{test.file: test.text}), nil).Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExpectationThatCannotBeReadIsAProblem(t *testing.T) {
	_, err := spec.Load(shop(map[string]string{expectationFile: "operations:\n  getProduct: [{reads: {}}]\n"}))
	want := "services/orders/contracts/catalog.yaml:2:16: an exchange of getProduct has no status\n    write them as in operations: {getProduct: [{path: {id: tea}, status: 200, reads: {id: string}}]}"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
