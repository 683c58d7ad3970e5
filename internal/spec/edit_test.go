package spec

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// edits are the changes that the cases in testdata/edit.txtar name.
var edits = map[string][]Change{
	"call":          {AddCall("catalog", "getProduct")},
	"calls":         {AddCall("catalog", "getProduct"), AddCall("users", "getUser", "listUsers"), AddCall("catalog", "listProducts")},
	"published":     {AddPublished("order.created.v1")},
	"consumed":      {AddConsumed("payment.processed.v1", "stock.reserved.v1")},
	"external":      {AddExternal(External{Host: "api.psp.example", Port: 443})},
	"ingress":       {AddIngress("createOrder")},
	"database":      {SetDatabase("postgres")},
	"shards":        {SetDatabase("postgres"), AddShards("s1", "s2", "s3")},
	"cache":         {SetCache("redis")},
	"everything":    {SetDatabase("postgres"), SetCache("redis"), AddCall("catalog", "getProduct"), AddPublished("order.created.v1"), AddConsumed("payment.processed.v1"), AddExternal(External{Host: "a.b"}), AddIngress("getOrder")},
	"canary":        SetCanary(Canary{Version: "v2", Weight: 10, Header: &Header{Name: "x-canary", Value: "true"}, Mirror: 5}),
	"canary-step":   {SetCanaryWeight(50), SetCanaryMirror(0)},
	"canary-stop":   {SetCanaryWeight(0), RemoveCanaryHeader()},
	"promote":       {SetVersion("v2"), RemoveCanary()},
	"abort":         {RemoveCanary()},
	"nothing":       {AddCall("catalog"), AddPublished()},
	"there-already": {AddCall("catalog", "getProduct"), SetDatabase("postgres"), AddPublished("order.created.v1"), AddExternal(External{Host: "a.b"})},
}

// Each case is two files: NAME.CHANGE.in and NAME.CHANGE.out.
func TestEditKeepsCommentsOrderAndFormatting(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/edit.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		in, out := archive.Files[i], &archive.Files[i+1]
		name := strings.TrimSuffix(in.Name, ".in")
		t.Run(name, func(t *testing.T) {
			if out.Name != name+".out" {
				t.Fatalf("%s is not followed by its outcome", in.Name)
			}
			_, change, _ := strings.Cut(name, ".")
			if *update {
				if out.Data, err = Edit(in.Data, edits[change]...); err != nil {
					t.Fatal(err)
				}
			}
			for variant, convert := range map[string]func([]byte) []byte{
				"as it is":              func(b []byte) []byte { return b },
				"CRLF":                  func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) },
				"byte order mark":       func(b []byte) []byte { return append([]byte(bom), b...) },
				"no newline at the end": func(b []byte) []byte { return bytes.TrimSuffix(b, []byte("\n")) },
			} {
				got, err := Edit(convert(in.Data), edits[change]...)
				if err != nil {
					t.Fatalf("%s: %v", variant, err)
				}
				if diff := cmp.Diff(string(convert(out.Data)), string(got)); diff != "" {
					t.Errorf("%s:\n%s", variant, diff)
				}
				again, err := Edit(got, edits[change]...)
				if err != nil || !bytes.Equal(got, again) {
					t.Errorf("%s: the second time it is changed again: %v\n%s", variant, err, again)
				}
			}
		})
	}
	if *update {
		if err := os.WriteFile("testdata/edit.txtar", txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEditRefusesWhatItCannotChange(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"not YAML":            {"name: [", "cannot be read"},
		"empty":               {"", "the file is empty"},
		"call is a list":      {"name: a\ncalls: [catalog]\n", "calls does not hold keys and values"},
		"operations a word":   {"name: a\ncalls: {catalog: {operations: getStock}}\n", "operations does not hold a list"},
		"call without a key":  {"name: a\ncalls: {catalog}\n", ""},
		"folded text as kind": {"name: a\ncalls:\n  catalog:\n    operations: [\"a\n      b\"]\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			raw := []byte(test.text)
			got, err := Edit(raw, AddCall("catalog", "getProduct"))
			if test.want == "" {
				if err != nil && !errors.Is(err, ErrNotEdited) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

func TestAddOperation(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/operation.txtar")
	if err != nil {
		t.Fatal(err)
	}
	operations := map[string]NewOperation{
		"get":       {ID: "getLine", Method: "GET", Path: "/v1/orders/{id}/lines/{line}", Summary: "One line: its product."},
		"post":      {ID: "cancelOrder", Method: "post", Path: "/v1/orders"},
		"delete":    {ID: "deleteOrder", Method: "DELETE", Path: "/v1/orders/{id}"},
		"action":    {ID: "cancelOrder", Method: "POST", Path: "/v1/orders/{id}/cancel"},
		"same-path": {ID: "replaceOrders", Method: "PUT", Path: "/v1/orders"},
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		in, out := archive.Files[i], &archive.Files[i+1]
		name := strings.TrimSuffix(in.Name, ".in")
		t.Run(name, func(t *testing.T) {
			_, op, _ := strings.Cut(name, ".")
			got, err := AddOperation(in.Data, operations[op])
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				out.Data = got
			}
			if diff := cmp.Diff(string(out.Data), string(got)); diff != "" {
				t.Error(diff)
			}
			c, err := ParseContract("api/openapi.yaml", got)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Doc(); err != nil {
				t.Errorf("the contract is not valid any more: %v", err)
			}
			if c.Operations[operations[op].ID] == nil {
				t.Error("the operation is not there")
			}
		})
	}
	if *update {
		if err := os.WriteFile("testdata/operation.txtar", txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPostOnAThingIsAnActionOrMakesOne(t *testing.T) {
	for _, test := range []struct {
		id, path string
		acts     bool
	}{
		{"cancelOrder", "/v1/orders/{id}/cancel", true},
		{"cancel", "/v1/orders/{id}/cancel", true},
		{"processOrder", "/v1/orders/{id}/process", true},
		{"markOrderPaid", "/v1/orders/{id}/mark-paid", true},
		{"voidOrder", "/v1/orders/{id}/annul", true},
		{"openAccount", "/v1/accounts/{id}/open", true},
		{"addLine", "/v1/orders/{id}/lines", false},
		{"setLines", "/v1/orders/{id}/lines", false},
		{"createPayment", "/v1/orders/{id}/payment", false},
		{"createOrder", "/v1/orders", false},
		{"search", "/search", false},
		{"replaceOrder", "/v1/orders/{id}", false},
	} {
		if op := (NewOperation{ID: test.id, Path: test.path}); op.acts() != test.acts {
			t.Errorf("%s %s: an action: %v", test.id, test.path, !test.acts)
		}
	}
}

func TestSentenceOfAnOperation(t *testing.T) {
	for id, want := range map[string]string{
		"cancelBilling": "Cancel billing.", "getHTTPStatus": "Get HTTP status.", "getV2Users": "Get V2 users.", "list": "List.",
		"getURL": "Get URL.", "a": "A.", "findAUser": "Find a user.", "countStock": "Count stock.",
	} {
		if got := sentence(id); got != want {
			t.Errorf("%s gives %q, want %q", id, got, want)
		}
	}
}

func TestAddOperationRefuses(t *testing.T) {
	for _, test := range []struct {
		op   NewOperation
		want string
	}{
		{NewOperation{ID: "getproduct", Method: "GET", Path: "/v2/products"}, "the contract has getProduct, GET /v1/products/{id}, on line 23 already"},
		{NewOperation{ID: "readProduct", Method: "GET", Path: "/v1/products/{name}"}, "the contract has getProduct, GET /v1/products/{id}, on line 23 already"},
		{NewOperation{ID: "read-product", Method: "GET", Path: "/a"}, `the operationId is "read-product", which is not an operationId`},
		{NewOperation{ID: "readProduct", Method: "TRACE", Path: "/a"}, "the method TRACE cannot be added"},
		{NewOperation{ID: "readProduct", Method: "GET", Path: "a/{}"}, `the path "a/{}" is not of the form`},
	} {
		if _, err := AddOperation([]byte(catalogContract), test.op); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v gives %v", test.op, err)
		}
	}
	if _, err := AddOperation([]byte(`{"openapi": "3.0.3", "info": {"title": "a", "version": "1"}, "paths": {"/a": {}}}`), NewOperation{ID: "b", Method: "GET", Path: "/b"}); !errors.Is(err, ErrNotEdited) {
		t.Errorf("a contract in JSON gives %v", err)
	}
}
