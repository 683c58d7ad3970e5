package render

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/trellis-mesh/trellis/internal/lint"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/test/soak"
)

// option is one thing that a service.yaml can say, with its possible values.
type option struct {
	name   string
	values []string
}

var options = []option{
	{"name", []string{"plain", "hyphenated"}},
	{"resource", []string{"default", "given", "reserved"}},
	{"database", []string{"none", "postgres"}},
	{"cache", []string{"none", "redis"}},
	{"calls", []string{"none", "fail", "degrade", "unseedable", "several"}},
	{"publishes", []string{"0", "1", "2", "known"}},
	{"consumes", []string{"0", "1", "2"}},
	{"outside", []string{"none", "externals", "ingress"}},
	{"shards", []string{"none", "two"}}, // with a database
}

// combination is a value for each option, in their order.
type combination []int

func (c combination) value(name string) string {
	i := slices.IndexFunc(options, func(o option) bool { return o.name == name })
	return options[i].values[c[i]]
}

func (c combination) String() string {
	var parts []string
	for i, o := range options {
		parts = append(parts, o.name+"="+o.values[c[i]])
	}
	return strings.Join(parts, " ")
}

// pair is two values of two options.
type pair struct{ option1, value1, option2, value2 int }

func (c combination) pairs() []pair {
	var all []pair
	for i := range c {
		for j := range i {
			all = append(all, pair{j, c[j], i, c[i]})
		}
	}
	return all
}

// pairwise gives combinations that have every pair of values of every two options in one of them: each next one is the one
// that has the most pairs not seen yet.
var pairwise = sync.OnceValue(func() []combination {
	all := []combination{{}}
	for _, o := range options {
		var longer []combination
		for _, c := range all {
			for v := range o.values {
				longer = append(longer, append(slices.Clone(c), v))
			}
		}
		all = longer
	}
	seen := map[pair]bool{}
	fresh := func(c combination) (n int) {
		for _, p := range c.pairs() {
			if !seen[p] {
				n++
			}
		}
		return n
	}
	var chosen []combination
	for {
		best, most := combination(nil), 0
		for _, c := range all {
			if n := fresh(c); n > most {
				best, most = c, n
			}
		}
		if best == nil {
			return chosen
		}
		for _, p := range best.pairs() {
			seen[p] = true
		}
		chosen = append(chosen, best)
	}
})

// pairwisePlatform has a service for each of the combinations, and two that they call and listen to.
func pairwisePlatform(t *testing.T) (p *platform, services map[string]combination) {
	t.Helper()
	p = newPlatform(t)
	p.write("contracts/events/thing.known.v1.json", knownEvent)
	p.create("catalog", spec.Options{Publishes: []string{"product.created.v1", "product.updated.v1"}}, Inputs{Resource: "product"})
	p.create("stock-keeper", spec.Options{}, Inputs{})
	p.write("services/stock-keeper/api/openapi.yaml", stockContract)
	services = map[string]combination{}
	for i, c := range pairwise() {
		name := fmt.Sprintf("service%d", i)
		if c.value("name") == "hyphenated" {
			name = fmt.Sprintf("my-service-%d", i)
		}
		o, in, edits := c.declaration(name)
		p.create(name, o, in, edits...)
		services[name] = c
	}
	p.awkward()
	p.sync("stock-keeper", Inputs{}, nil)
	return p, services
}

// awkward adds services whose names mean something to Go, to the templates or to oapi-codegen.
func (p *platform) awkward() {
	for _, name := range []string{"stores", "types", "http", "api", "problem", "new", "handlers", "clients", "windows", "errors"} {
		p.create(name, spec.Options{
			Database: "postgres", Cache: "redis", Publishes: []string{name + ".created.v1"}, Consumes: []string{"product.created.v1"},
		}, Inputs{})
	}
	p.create("caller", spec.Options{Calls: []spec.CallOption{
		{Service: "stores", Operations: []string{"getStore", "listStores"}}, {Service: "clients", Operations: []string{"getClient"}},
		{Service: "handlers", Operations: []string{"getHandler", "createHandler"}}, {Service: "api", Operations: []string{"getAPI"}},
		{Service: "http", Operations: []string{"getHTTP"}}, {Service: "new", Operations: []string{"getNew"}},
	}}, Inputs{})
}

// declaration gives what scaffold new would be told for the combination.
func (c combination) declaration(name string) (o spec.Options, in Inputs, edits []string) {
	o = spec.Options{Database: c.value("database"), Cache: c.value("cache")}
	if c.value("shards") == "two" && o.Database == "postgres" {
		o.Shards = []string{"s1", "far-east"}
	}
	switch c.value("resource") {
	case "given":
		in.Resource = "order-line"
	case "reserved":
		in.Resource = "client"
	}
	product := spec.CallOption{Service: "catalog", Operations: []string{"getProduct"}}
	switch c.value("calls") {
	case "fail":
		o.Calls = []spec.CallOption{product}
	case "degrade":
		o.Calls = []spec.CallOption{product}
		edits = []string{"onFailure: fail", "onFailure: degrade"}
	case "unseedable":
		o.Calls = []spec.CallOption{{Service: "catalog", Operations: []string{"createProduct", "listProducts"}}}
	case "several":
		o.Calls = []spec.CallOption{product, {Service: "stock-keeper", Operations: []string{"getLevel", "getSite", "countStock", "uploadStock"}}}
		edits = []string{"timeout: 1s # with all attempts\n    onFailure: fail", "timeout: 800ms\n    onFailure: degrade"}
	}
	switch c.value("publishes") {
	case "1":
		o.Publishes = []string{name + ".created.v1"}
	case "2":
		o.Publishes = []string{name + ".opened.v1", name + ".closed.v1"}
	case "known":
		o.Publishes = []string{"thing.known.v1"}
	}
	o.Consumes = []string{"product.created.v1", "product.updated.v1"}[:c[6]]
	switch c.value("outside") {
	case "externals":
		o.Externals = []spec.External{{Host: "api.example.com", Port: 443, TLS: "originate"}, {Host: "b.example.com", Port: 443, TLS: "passthrough"}}
	case "ingress":
		noun := DefaultResource(name)
		if in.Resource != "" {
			noun = in.Resource
		}
		o.Ingress = []string{"create" + goName(noun)}
	}
	return o, in, edits
}

// knownEvent is a schema that somebody wrote before the service: nothing in it is as seeded.
const knownEvent = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "description": "A thing is known",
  "required": ["thingId", "at", "lines", "kind"],
  "properties": {
    "thingId": {"type": "string", "description": "Its id"},
    "at": {"type": "string", "format": "date-time"},
    "kind": {"type": "string", "enum": ["a", "b"]},
    "productId": {"type": "string"},
    "weight": {"type": "number"},
    "address": {"type": "object", "properties": {"street": {"type": "string"}, "geo": {"type": "object"}}},
    "lines": {"type": "array", "items": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}, "count": {"type": "integer"}}}}
  }
}
`

// stockContract has operations in forms that the seeded contract has not.
const stockContract = `openapi: 3.0.3
info: {title: stock-keeper, version: 1.0.0}
paths:
  /v1/products/{productId}/sites/{site}:
    parameters:
      - {name: productId, in: path, required: true, schema: {type: string}}
      - {name: site, in: path, required: true, schema: {type: string}}
    get:
      operationId: getLevel
      parameters:
        - {name: verbose, in: query, schema: {type: boolean}}
      responses: {"200": {description: Level, content: {application/json: {schema: {type: object, properties: {level: {type: integer}}}}}}, default: {description: Other}}
    put:
      operationId: uploadStock
      requestBody: {content: {text/csv: {schema: {type: string, format: binary}}}}
      responses: {"204": {description: Done}}
  /v1/sites/{id}:
    get:
      operationId: getSite
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses: {"200": {description: Site, content: {application/json: {schema: {$ref: "#/components/schemas/Site"}}}}}
  /v1/counts/{day}:
    get:
      operationId: countStock
      parameters:
        - {name: day, in: path, required: true, schema: {type: string, format: date}}
      responses: {"200": {description: Count, content: {text/plain: {schema: {type: string}}}}}
  /v1/windows:
    post:
      operationId: openWindows
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Site"}}}}
      responses: {"202": {description: Accepted, headers: {Location: {schema: {type: string}}}}}
components:
  schemas:
    Site: {type: object, required: [id], properties: {id: {type: string, format: uuid}, opened: {type: string, format: date-time}}}
`

func TestPairwiseHasEveryPair(t *testing.T) {
	seen := map[pair]bool{}
	for _, c := range pairwise() {
		for _, p := range c.pairs() {
			seen[p] = true
		}
	}
	want := 0
	for i, a := range options {
		for _, b := range options[:i] {
			want += len(a.values) * len(b.values)
		}
	}
	if len(seen) != want {
		t.Errorf("%d of %d pairs", len(seen), want)
	}
}

// TestEveryPairOfOptionsBuilds renders a service for every pair of options and has all of them compiled and vetted, with
// their tests, in one run of the go command.
func TestEveryPairOfOptionsBuilds(t *testing.T) {
	p, services := pairwisePlatform(t)
	// Several of the services have the same paths, which no platform would let in from outside by one gateway.
	problems := slices.DeleteFunc(lint.Check(p.model(), p.rendered()), func(p spec.Problem) bool {
		return strings.HasSuffix(p.Message, "can be the same request at the gateway")
	})
	if len(problems) > 0 {
		t.Errorf("lint: %v", problems)
	}
	for name := range services {
		if lines := strings.Count(p.read("services/"+name+"/main.go"), "\n"); lines > 40 {
			t.Errorf("main.go of %s has %d lines", name, lines)
		}
	}
	if testing.Short() {
		t.Skip("compiling takes a while")
	}
	dir := p.scratch()
	goCommand(t, dir, "vet", "./services/...")
	args := []string{"-vet=off", "-ldflags=-s -w"}
	if soak.Race { // in a soak: see PLAIN in the Makefile
		args = append(args, "-race")
	}
	goCommand(t, dir, "test", append(args, tested(services)...)...)
}

// tested are the packages of a few services that have, together, every value of every option, and what a store and a
// consumer depend on in every combination.
func tested(services map[string]combination) []string {
	names := slices.Sorted(maps.Keys(services))
	seen := map[string]bool{}
	fresh := func(name string) (keys []string) {
		c := services[name]
		keys = []string{c.value("database") + "shards" + c.value("shards"), c.value("database") + c.value("cache"), c.value("database") + c.value("publishes"), c.value("database") + "consumes" + c.value("consumes")}
		for _, o := range options {
			keys = append(keys, o.name+c.value(o.name))
		}
		return slices.DeleteFunc(keys, func(key string) bool { return seen[key] })
	}
	patterns := []string{"./services/stock-keeper/..."}
	for {
		most := slices.MaxFunc(names, func(a, b string) int { return len(fresh(a)) - len(fresh(b)) })
		keys := fresh(most)
		if len(keys) == 0 {
			return patterns
		}
		for _, key := range keys {
			seen[key] = true
		}
		patterns = append(patterns, "./services/"+most+"/...")
	}
}

// scratch writes the platform into a folder, as a module of the repository's name with the repository's chassis.
func (p *platform) scratch() string {
	p.t.Helper()
	dir := p.t.TempDir()
	root := filepath.Join("..", "..")
	if err := os.CopyFS(filepath.Join(dir, "chassis"), os.DirFS(filepath.Join(root, "chassis"))); err != nil {
		p.t.Fatal(err)
	}
	for path, file := range p.files {
		p.save(filepath.Join(dir, filepath.FromSlash(path)), file.Data)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			p.t.Fatal(err)
		}
		p.save(filepath.Join(dir, name), content)
	}
	return dir
}

func (p *platform) save(path string, content []byte) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// goCommand runs the go command without the network. -trimpath lets it find in its cache what another folder compiled.
func goCommand(t *testing.T, dir, verb string, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", append([]string{verb, "-trimpath", "-mod=readonly"}, args...)...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOPROXY=off", "GOWORK=off")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", verb, err, out)
	}
}
