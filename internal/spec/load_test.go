package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const catalogContract = `openapi: 3.0.3
info: {title: catalog, version: 1.0.0}
paths:
  /v1/products:
    post:
      operationId: createProduct
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: '#/components/schemas/NewProduct'}
      responses:
        "201": {description: Made., content: {application/json: {schema: {$ref: '#/components/schemas/Product'}}}}
        "422": {$ref: '#/components/responses/Problem'}
    get:
      operationId: listProducts
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
      responses:
        "200": {description: Found., content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Product'}}}}}
  /v1/products/{id}:
    get:
      operationId: getProduct
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses:
        "200": {description: Found., content: {application/json: {schema: {$ref: '#/components/schemas/Product'}}}}
        "404": {$ref: '#/components/responses/Problem'}
components:
  responses:
    Problem: {description: What went wrong., content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}}
  schemas:
    NewProduct: {type: object, required: [name], properties: {name: {type: string, minLength: 1}}}
    Product: {type: object, required: [id, name], properties: {id: {type: string}, name: {type: string}, createdAt: {type: string, format: date-time}}}
    Problem: {type: object, properties: {type: {type: string}, title: {type: string}, status: {type: integer}, detail: {type: string}}}
`

const createdSchema = `{"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "createdAt": {"type": "string", "format": "date-time"}}}`

// sound is a platform without a fault; tests break a copy.
func sound() fstest.MapFS {
	return fstest.MapFS{
		"go.mod":                                   {Data: []byte("module example.com/shop\n\ngo 1.26\n")},
		"platform.yaml":                            {Data: []byte("name: shop\n")},
		"services/catalog/service.yaml":            {Data: []byte("name: catalog\nevents: {publishes: [product.created.v1]}\n")},
		"services/catalog/api/openapi.yaml":        {Data: []byte(catalogContract)},
		"services/orders/service.yaml":             {Data: []byte("name: orders\ncalls:\n  catalog: {operations: [getProduct, listProducts]}\nevents: {consumes: [product.created.v1]}\n")},
		"services/orders/api/openapi.yaml":         {Data: []byte("openapi: 3.0.3\ninfo: {title: orders, version: 1.0.0}\npaths: {}\n")},
		"services/README.md":                       {Data: []byte("not a service")},
		"services/half/leftover.go":                {Data: []byte("package half")},
		"contracts/events/product.created.v1.json": {Data: []byte(createdSchema)},
		"contracts/events/README.md":               {Data: []byte("not a schema")},
	}
}

// with gives the sound platform with a file written anew.
func with(file, text string) fstest.MapFS {
	fsys := sound()
	fsys[file] = &fstest.MapFile{Data: []byte(text)}
	return fsys
}

func TestLoadReadsThePlatform(t *testing.T) {
	m, err := Load(sound())
	if err != nil {
		t.Fatal(err)
	}
	if m.Module != "example.com/shop" || m.Platform.Namespace != "shop" || len(m.Services) != 2 || m.Events["product.created.v1"] == nil {
		t.Errorf("read %+v", m)
	}
	if got := m.Service("catalog").Contract.Operations["getProduct"]; got.Method != "GET" || got.Path != "/v1/products/{id}" || got.Position.String() != "services/catalog/api/openapi.yaml:23:20" {
		t.Errorf("getProduct is %+v", got)
	}
	if m.Service("users") != nil || m.Service("orders").Dir != "services/orders" {
		t.Error("services are not found by name")
	}
}

func TestLoadTellsWhatIsWrong(t *testing.T) {
	without := func(file string) fstest.MapFS {
		fsys := sound()
		delete(fsys, file)
		return fsys
	}
	second := func(dir, name string) fstest.MapFS {
		fsys := with("services/"+dir+"/service.yaml", "name: "+name+"\n")
		fsys["services/"+dir+"/api/openapi.yaml"] = fsys["services/orders/api/openapi.yaml"]
		return fsys
	}
	for _, test := range []struct {
		name string
		fsys fs.FS
		want string
	}{
		{"no platform.yaml", without("platform.yaml"), `platform.yaml:1:1: platform.yaml does not exist
    run this in a platform's root; one line makes a platform: name: shop`},
		{"empty platform.yaml", with("platform.yaml", ""), `platform.yaml:1:1: the file is empty
    one line is enough:
    name: the platform's name`},
		{"unknown version", with("platform.yaml", "name: shop\nversions: {prometeus: \"3\"}\n"), `platform.yaml:2:12: unknown key "prometeus" in versions
    did you mean prometheus?`},
		{"no exact version", with("platform.yaml", "name: shop\nversions: {istio: latest}\n"), `platform.yaml:2:19: versions.istio is "latest", which is not a version
    write an exact version, such as 1.31.1; quote it when it looks like a number`},
		{"no go.mod", without("go.mod"), `go.mod:1:1: go.mod does not exist
    run go mod init in the platform's root`},
		{"go.mod without a module", with("go.mod", "go 1.26\n"), `go.mod:1:1: go.mod names no module
    add a line such as: module example.com/shop`},
		{"no contract", without("services/orders/api/openapi.yaml"), `services/orders/service.yaml:1:1: services/orders/api/openapi.yaml does not exist
    write the service's OpenAPI 3.0.3 document there, or correct http.contract`},
		{"duplicate service", second("ordering", "orders"), `services/ordering/service.yaml:1:7: the service orders is declared twice: first at services/orders/service.yaml:1:7
    rename one of the two, and its folder`},
		{"folder of another name", second("ordering", "shipping"), `services/ordering/service.yaml:1:7: the service shipping lies in the folder services/ordering
    rename the folder to services/shipping, or write name: ordering`},
		{"names that differ by hyphens", second("cata-log", "cata-log"), `services/catalog/service.yaml:1:7: the services cata-log and catalog differ by hyphens only, and give the same Go names
    rename one of the two`},
		{"service.yaml broken", with("services/orders/service.yaml", "name: orders\nhttp: {port: 1}\n"), `services/orders/service.yaml:2:14: http.port is 1, outside 1024 to 65535
    write a value from 1024 to 65535; without it the default is 8080`},
		{"event misnamed", with("contracts/events/OrderCreated.json", createdSchema), `contracts/events/OrderCreated.json:1:1: the file's name is "OrderCreated", which is not an event type
    rename the file: write name.verb.version in lower case, such as order.created.v1`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load(test.fsys)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("no problems but %v", err)
			}
			if diff := cmp.Diff(test.want, problems.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoadTellsTheProblemsOfAllFiles(t *testing.T) {
	fsys := with("services/orders/service.yaml", "name: orders\nfoo: 1\n")
	maps.Copy(fsys, fstest.MapFS{
		"platform.yaml": {Data: []byte("name: Shop\n")},
		"contracts/events/product.created.v1.json": {Data: []byte("{")},
		"services/catalog/api/openapi.yaml":        {Data: []byte("openapi: 2.0.0\n")},
	})
	_, err := Load(fsys)
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 4 {
		t.Fatalf("want 4 problems, got %v", err)
	}
	for i, file := range []string{"contracts/events/product.created.v1.json", "platform.yaml", "services/catalog/api/openapi.yaml", "services/orders/service.yaml"} {
		if problems[i].File != file {
			t.Errorf("problem %d is in %s, want %s", i, problems[i].File, file)
		}
	}
}

func TestUnreadableFileIsAProblem(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, sound()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir+"/platform.yaml", 0); err != nil {
		t.Fatal(err)
	}
	_, err := Load(os.DirFS(dir))
	if err == nil || !strings.HasPrefix(err.Error(), "platform.yaml:1:1: platform.yaml cannot be read: permission denied") {
		t.Errorf("got %v", err)
	}
}

// fleet is a platform of n services, each calling the one before and consuming its event.
func fleet(n int) fstest.MapFS {
	fsys := fstest.MapFS{
		"go.mod":        {Data: []byte("module example.com/fleet\n")},
		"platform.yaml": {Data: []byte("name: fleet\n")},
	}
	for i := range n {
		name := fmt.Sprintf("service-%d", i)
		text := strings.Replace(wholeService, "name: orders", "name: "+name, 1)
		text = strings.ReplaceAll(text, "order.created.v1, order.cancelled.v1", name+".made.v1")
		text = strings.ReplaceAll(text, "inventory.reserved.v1, payment.processed.v1", fmt.Sprintf("service-%d.made.v1", max(i-1, 0)))
		text = strings.ReplaceAll(text, "getStock, reserveStock", "getProduct, listProducts")
		text = strings.ReplaceAll(text, "createOrder, getOrder", "createProduct")
		text = strings.ReplaceAll(text, "  inventory:", fmt.Sprintf("  service-%d:", max(i-1, 0)))
		if i == 0 {
			text = "name: service-0\nevents: {publishes: [service-0.made.v1]}\n"
		}
		fsys["services/"+name+"/service.yaml"] = &fstest.MapFile{Data: []byte(text)}
		fsys["services/"+name+"/api/openapi.yaml"] = &fstest.MapFile{Data: []byte(catalogContract)}
		fsys["contracts/events/"+name+".made.v1.json"] = &fstest.MapFile{Data: []byte(createdSchema)}
	}
	return fsys
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{3, 50, 500} {
		b.Run(fmt.Sprintf("services=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			if err := os.CopyFS(dir, fleet(n)); err != nil {
				b.Fatal(err)
			}
			fsys := os.DirFS(dir)
			runtime.GC()
			for b.Loop() {
				if _, err := Load(fsys); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkContractDoc(b *testing.B) {
	for b.Loop() {
		c, err := ParseContract("api/openapi.yaml", []byte(catalogContract))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Doc(); err != nil {
			b.Fatal(err)
		}
	}
}
