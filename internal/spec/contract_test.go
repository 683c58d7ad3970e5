package spec

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const contractFile = "services/catalog/api/openapi.yaml"

func TestContractIsParsedOnDemand(t *testing.T) {
	c, err := ParseContract(contractFile, []byte(catalogContract))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := c.Doc(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	op, err := c.Operations["getProduct"].Spec()
	if err != nil {
		t.Fatal(err)
	}
	if got := op.Responses.Value("404").Value.Content["application/problem+json"].Schema.Ref; got != "#/components/schemas/Problem" {
		t.Errorf("the answer 404 has the schema %q", got)
	}
	if get, post := c.Operations["getProduct"], c.Operations["createProduct"]; !get.Idempotent() || post.Idempotent() {
		t.Error("GET is idempotent, POST is not")
	}
}

func TestContractTellsWhatIsWrong(t *testing.T) {
	const head = "openapi: 3.0.3\ninfo: {title: a, version: 1.0.0}\npaths:\n"
	const ok = "responses: {\"200\": {description: Done.}}"
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", `1:1: the file is empty
    write an OpenAPI 3.0.3 document: openapi, info and paths`},
		{"other document", "kind: Deployment\n", `1:1: this is no OpenAPI document: openapi is missing
    add the line openapi: 3.0.3`},
		{"version", "openapi: 3.1.0\n", `1:10: OpenAPI 3.1.0 is not supported
    write openapi: 3.0.3`},
		{"no paths", "openapi: 3.0.3\ninfo: {title: a, version: 1.0.0}\n", `1:1: paths is missing
    add paths: {} at the least`},
		{"no operationId", head + "  /v1/order-items/{id}:\n    get: {" + ok + "}\n", `5:5: GET /v1/order-items/{id} has no operationId
    add one, such as operationId: getOrderItems`},
		{"operationId unfit for Go", head + "  /a:\n    get: {operationId: get-thing, " + ok + "}\n", `5:24: the operationId of GET /a is "get-thing", which is not an operationId
    use letters and digits, a lower-case letter first, such as getStock`},
		{"operationId twice", head + "  /a:\n    get: {operationId: getA, " + ok + "}\n    put: {operationId: geta, " + ok + "}\n", `6:24: the operationId geta is taken: GET /a has getA on line 5
    give each operation an id of its own`},
		{"external reference", head + "  /a:\n    get: {operationId: getA, responses: {\"200\": {$ref: ../../users/api/openapi.yaml#/x}}}\n", `5:56: the reference "../../users/api/openapi.yaml#/x" leaves the document
    copy what it names into components and write #/components/…`},
		{"reference to nothing", head + "  /a:\n    get: {operationId: getA, responses: {\"200\": {$ref: \"#/components/responses/Found\"}}}\ncomponents: {responses: {Fund: {description: x}}}\n", `5:56: the reference "#/components/responses/Found" leads nowhere: there is no Found
    did you mean Fund?`},
		{"path without slash", head + "  a: {}\n", `4:3: the path "a" does not begin with /
    write /a`},
		{"unknown method", head + "  /a:\n    gte: {}\n", `5:5: unknown key "gte" in the path /a
    did you mean get?`},
		{"path twice", head + "  /a: {}\n  /a: {}\n", `5:3: the key "/a" stands twice: first on line 4
    remove one of the two`},
		{"alias", head + "  /a: &x {}\n  /b: *x\n", `4:7: anchors and aliases (& and *) are not supported here
    write the value out in each place`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseContract(contractFile, []byte(test.text))
			if err == nil {
				t.Fatal("no problem")
			}
			if diff := cmp.Diff(contractFile+":"+test.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInvalidOpenAPIIsToldWithItsPlace(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"no title", "title: catalog, ", "", "2:1: the contract is not valid OpenAPI 3.0: "},
		{"unknown type", "createdAt: {type: string", "createdAt: {type: text", "34:106: the contract is not valid OpenAPI 3.0: "},
		{"path parameter missing", "- {name: id, in: path", "- {name: other, in: path", "21:3: the contract is not valid OpenAPI 3.0: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := ParseContract(contractFile, []byte(strings.Replace(catalogContract, test.old, test.new, 1)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Doc()
			if err == nil || !strings.HasPrefix(err.Error(), contractFile+":"+test.want) || strings.Count(err.Error(), "\n") != 1 {
				t.Errorf("got %v", err)
			}
			if _, err := c.Operations["getProduct"].Spec(); err == nil {
				t.Error("an operation of an invalid document was given")
			}
		})
	}
}

func TestTimeoutOfAnOperationIsRead(t *testing.T) {
	c, err := ParseContract("openapi.yaml", []byte("openapi: 3.0.3\ninfo: {title: a, version: 1.0.0}\npaths:\n"+
		"  /v1/things: {get: {operationId: listThings}, post: {operationId: importThings, x-timeout: 1h30m}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Operations["listThings"].Timeout; got != 0 {
		t.Errorf("an operation that says nothing has %s", got)
	}
	if got := c.Operations["importThings"].Timeout; got != 90*time.Minute {
		t.Errorf("an operation with 1h30m has %s", got)
	}
	for _, wrong := range []string{"90", "soon", "-1s", "0s", "1us", "[1s]", "''"} {
		_, err := ParseContract("openapi.yaml", []byte("openapi: 3.0.3\ninfo: {title: a, version: 1.0.0}\npaths:\n"+
			"  /v1/things: {get: {operationId: listThings, x-timeout: "+wrong+"}}\n"))
		if err == nil || !strings.Contains(err.Error(), "openapi.yaml:4:58: the x-timeout of GET /v1/things is no time that a request may take") {
			t.Errorf("x-timeout: %s: %v", wrong, err)
		}
	}
}
