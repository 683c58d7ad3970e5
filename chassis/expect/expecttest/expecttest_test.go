package expecttest

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/trellis-mesh/trellis/chassis/expect"
)

const contract = `openapi: 3.0.3
info: {title: catalog, version: 1.0.0}
paths:
  /v1/products/{id}:
    put:
      operationId: putProduct
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
        - {name: version, in: query, schema: {type: integer}}
        - {name: X-Tenant, in: header, schema: {type: string}}
      requestBody:
        content:
          application/json:
            schema: {type: object, properties: {name: {type: string}, tags: {type: array, items: {type: string}}}}
      responses:
        "200":
          description: The product.
          content:
            application/json:
              schema: {type: object, required: [id, size], properties: {id: {type: string}, size: {type: integer}}}
        "204": {description: Nothing.}
`

const expectation = `operations:
  putProduct:
    - when: there is tea
      path: {id: tea}
      query: {version: "7"}
      headers: {X-Tenant: tea}
      body: {name: tea, tags: [tea, hot]}
      status: 200
      reads: {id: string}
`

// verified holds a handler against the expectation.
func verified(t *testing.T, h http.HandlerFunc) error {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	file, err := expect.Parse("services/orders/contracts/catalog.yaml", []byte(expectation))
	if err != nil {
		t.Fatal(err)
	}
	operation := file.Operations[0]
	s := Service{Handler: h, Names: map[string]string{"tea": "p 1"}}
	return verify(t.Context(), s, find(doc, operation.ID), operation.Exchanges[0])
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestVerifySendsTheRequestWithTheStatesNames(t *testing.T) {
	got := ""
	err := verified(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = strings.Join([]string{r.Method, r.RequestURI, r.Header.Get("X-Tenant"), r.Header.Get("Content-Type"), string(body)}, " ")
		answering(200, `{"id": "p 1", "size": 1}`)(w, r)
	})
	if want := `PUT /v1/products/p%201?version=7 p 1 application/json {"name":"p 1","tags":["p 1","hot"]}`; got != want || err != nil {
		t.Errorf("sent %s, %v; want %s", got, err, want)
	}
}

func TestVerifyFindsWhatAHandlerDoesOtherwise(t *testing.T) {
	for want, handler := range map[string]http.HandlerFunc{
		"is answered 204, not 200":              answering(204, ``),
		"id is missing":                         answering(200, `{"size": 1}`),
		"id is 1, and the consumer reads a str": answering(200, `{"id": 1, "size": 1}`),
		"the answer is not what the contract":   answering(200, `{"id": "1", "size": "large"}`),
		"it is no JSON":                         answering(200, `<html>`),
	} {
		if err := verified(t, handler); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFilesOfAProviderAreFoundFromBelow(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	write(t, "platform.yaml", "name: shop\n")
	write(t, "services/orders/contracts/catalog.yaml", expectation)
	write(t, "services/users/contracts/orders.yaml", "events: {a.b.v1: {}}\n")
	write(t, "services/web/contracts/catalog.yaml", "operations: {putProduct: [{status: 200}]}\n")
	write(t, "services/catalog/internal/http/x.go", "package http\n")
	t.Chdir("services/catalog/internal/http")
	var consumers []string
	for _, file := range files(t, "catalog") {
		consumers = append(consumers, file.Consumer+" "+file.Path)
	}
	want := "orders services/orders/contracts/catalog.yaml, web services/web/contracts/catalog.yaml"
	if got := strings.Join(consumers, ", "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
