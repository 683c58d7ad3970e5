package render

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

var withDatabase = spec.Options{Database: "postgres", Publishes: []string{"greeting.created.v1"}}

func TestServiceIsTheSameEachTimeAndInParallel(t *testing.T) {
	p, rendered := goldenPlatform(t)
	m := p.model()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			r, err := New()
			if err != nil {
				t.Error(err)
				return
			}
			for _, g := range golden {
				files, err := r.Service(m, g.name, g.inputs, nil)
				if err != nil {
					t.Error(err)
				}
				// The first was rendered before the services after it were there, which may call it.
				if diff := cmp.Diff(rendered[g.name], files, cmpopts.IgnoreFields(plan.File{}, "InputHash"), withoutCallers); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	wait.Wait()
}

// withoutCallers leaves out the files that follow from who calls a service: its policies and its dashboard.
var withoutCallers = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Content" },
	cmp.Comparer(func(a, b []byte) bool {
		return bytes.Equal(a, b) || slices.ContainsFunc([]string{"NetworkPolicy", "AuthorizationPolicy", `"schemaVersion"`}, func(mark string) bool {
			return bytes.Contains(a, []byte(mark))
		})
	}))

func TestSecondRunRendersNothing(t *testing.T) {
	p, _ := goldenPlatform(t)
	m := p.model()
	for _, g := range golden {
		first, err := p.r.Service(m, g.name, g.inputs, nil)
		if err != nil {
			t.Fatal(err)
		}
		kept := &counting{memory: newMemory(first)}
		again, err := p.r.Service(m, g.name, g.inputs, kept)
		if err != nil {
			t.Fatal(err)
		}
		if kept.missed > 0 {
			t.Errorf("%s: %d files were made anew", g.name, kept.missed)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Error(diff)
		}
	}
}

type counting struct {
	memory
	missed int
}

func (c *counting) Content(path, inputHash string) ([]byte, bool) {
	content, ok := c.memory.Content(path, inputHash)
	if !ok {
		c.missed++
	}
	return content, ok
}

func TestContractDecidesAloneWhetherItsGoIsMadeAgain(t *testing.T) {
	p := newPlatform(t)
	first := p.create("greeter", withDatabase, Inputs{})
	p.write("services/greeter/service.yaml", p.read("services/greeter/service.yaml")+"run: {replicas: {min: 3}}\n")
	hashes := func(files []plan.File) map[string]string {
		all := map[string]string{}
		for _, f := range files {
			all[f.Path] = f.InputHash
		}
		return all
	}
	before, after := hashes(first), hashes(p.sync("greeter", Inputs{}, newMemory(first)))
	const api, workload = "services/greeter/api/api.gen.go", "services/greeter/deploy/workload.yaml"
	if before[api] != after[api] {
		t.Error("the API would be generated again")
	}
	if before[workload] == after[workload] {
		t.Error("the workload would not be rendered again")
	}
	if !strings.Contains(p.read(workload), "minReplicas: 3") {
		t.Error("the workload is not of the new declaration")
	}
}

func TestNewOperationIsOneNewFile(t *testing.T) {
	p := newPlatform(t)
	first := newMemory(p.create("greeter", withDatabase, Inputs{Resource: "greeting"}))
	contract := p.read("services/greeter/api/openapi.yaml")
	p.write("services/greeter/api/openapi.yaml", strings.Replace(contract, "components:\n", `  /v1/greetings/{id}/cancel:
    post:
      operationId: cancelGreeting
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses:
        "204": {description: The greeting is cancelled.}
components:
`, 1))
	for _, f := range p.sync("greeter", Inputs{Resource: "greeting"}, nil) {
		old, known := first[f.Path]
		switch {
		case !known && (f.Path != "services/greeter/internal/http/cancel_greeting.go" || f.Provides != "Handler.CancelGreeting" || f.Class != plan.Once):
			t.Errorf("new: %s", f.Path)
		case known && f.Class != plan.Owned && !bytes.Equal(old.Content, f.Content):
			t.Errorf("changed: %s", f.Path)
		}
	}
	if text := p.read("services/greeter/internal/http/cancel_greeting.go"); !strings.Contains(text, "NotImplemented") {
		t.Error(text)
	}
}

func TestNewEventsChangeNoFileOfAPerson(t *testing.T) {
	p := newPlatform(t)
	o := withDatabase
	o.Publishes = append(slices.Clone(o.Publishes), "greeting.changed.v1")
	o.Consumes = []string{"greeting.created.v1"}
	first := newMemory(p.create("greeter", o, Inputs{Resource: "greeting"}))
	p.write("services/greeter/service.yaml", strings.Replace(p.read("services/greeter/service.yaml"),
		"consumes: [greeting.created.v1]", "consumes: [greeting.created.v1, greeting.changed.v1]", 1))
	var fresh []string
	for _, f := range p.sync("greeter", Inputs{Resource: "greeting"}, nil) {
		old, known := first[f.Path]
		switch {
		case !known:
			fresh = append(fresh, strings.TrimPrefix(f.Path, "services/greeter/internal/consumer/"))
		case f.Class != plan.Owned && !bytes.Equal(old.Content, f.Content):
			t.Errorf("changed: %s", f.Path)
		}
	}
	if diff := cmp.Diff([]string{"greeting_changed_v1.go", "greeting_changed_v1_test.go"}, fresh); diff != "" {
		t.Error(diff)
	}
}

func TestOperationsThatNoLongerLookAsSeededAreForAPersonToWrite(t *testing.T) {
	p := newPlatform(t)
	p.create("greeter", withDatabase, Inputs{Resource: "greeting"})
	contract := p.read("services/greeter/api/openapi.yaml")
	p.write("services/greeter/api/openapi.yaml", strings.ReplaceAll(contract, "name: {type: string", "title: {type: string"))
	p.write("services/greeter/api/openapi.yaml", strings.ReplaceAll(p.read("services/greeter/api/openapi.yaml"), "[name]", "[title]"))
	p.sync("greeter", Inputs{Resource: "greeting"}, nil)
	for _, file := range []string{"create_greeting.go", "get_greeting.go", "list_greetings.go"} {
		if text := p.read("services/greeter/internal/http/" + file); !strings.Contains(text, "NotImplemented") {
			t.Errorf("%s:\n%s", file, text)
		}
	}
	// A person who has written the operations anew may have kept these.
	for file, kept := range map[string]string{"handler.go": "func newID()", "greeting.go": "CreatedAt: greeting.CreatedAt"} {
		if text := p.read("services/greeter/internal/http/" + file); !strings.Contains(text, kept) {
			t.Errorf("%s: %s is gone from\n%s", file, kept, text)
		}
	}
}

func TestNewCallChangesNoFileOfAPerson(t *testing.T) {
	p := newPlatform(t)
	p.create("catalog", spec.Options{}, Inputs{Resource: "product"})
	first := newMemory(p.create("greeter", withDatabase, Inputs{Resource: "greeting"}))
	p.write("services/greeter/service.yaml", p.read("services/greeter/service.yaml")+"calls: {catalog: {operations: [getProduct]}}\n")
	for _, f := range p.sync("greeter", Inputs{Resource: "greeting"}, nil) {
		old, known := first[f.Path]
		switch {
		case !known && f.Path != "services/greeter/internal/http/clients.gen.go":
			t.Errorf("new: %s", f.Path)
		case known && f.Class == plan.Once && !bytes.Equal(old.Content, f.Content):
			t.Errorf("changed: %s", f.Path)
		}
	}
}

func TestSeeds(t *testing.T) {
	p := newPlatform(t)
	p.write("contracts/events/thing.known.v1.json", `{"type": "object", "properties": {}}`)
	o := spec.Options{Publishes: []string{"thing.known.v1", "greeting.created.v1"}}
	declaration := spec.NewService("greeter", o)
	s, err := spec.ParseService("services/greeter/service.yaml", declaration)
	if err != nil {
		t.Fatal(err)
	}
	seeds, err := p.r.Seeds(SeedInput{Model: p.model(), Service: s, Declaration: declaration})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range seeds {
		paths = append(paths, f.Path)
		if f.Class != plan.Once || !p.r.IsSeed(f.Template) {
			t.Errorf("%s: class %s, template %s", f.Path, f.Class, f.Template)
		}
	}
	want := []string{"contracts/events/greeting.created.v1.json", "services/greeter/api/openapi.yaml", "services/greeter/service.yaml"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(seeds[2].Content, declaration) {
		t.Error("service.yaml is not as it was given")
	}
	p.put(seeds)
	if _, err := p.model().Service("greeter").Contract.Doc(); err != nil {
		t.Errorf("the seeded contract: %v", err)
	}
	for _, f := range p.sync("greeter", Inputs{}, nil) {
		if p.r.IsSeed(f.Template) {
			t.Errorf("%s is rendered again", f.Path)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	tests := []struct {
		name string
		make func(p *platform)
		want string
	}{
		{"no such service", func(p *platform) { delete(p.files, "services/greeter/service.yaml") }, "no such service"},
		{"a schema that takes the client's name", func(p *platform) {
			p.write("services/greeter/api/openapi.yaml", p.read("services/greeter/api/openapi.yaml")+"    Client: {type: object, properties: {a: {type: string}}}\n")
		}, "services/greeter/api/openapi.yaml: a schema becomes the Go type Client, which the generated code has already: rename the schema"},
		{"an event without a schema", func(p *platform) { delete(p.files, "contracts/events/greeting.created.v1.json") },
			"the event greeting.created.v1 has no schema: write contracts/events/greeting.created.v1.json"},
		{"a contract out of reach", func(p *platform) {
			p.write("services/greeter/openapi.yaml", p.read("services/greeter/api/openapi.yaml"))
			p.write("services/greeter/service.yaml", p.read("services/greeter/service.yaml")+"http: {contract: openapi.yaml}\n")
		}, "services/greeter/service.yaml: http.contract: openapi.yaml is outside api/, where the service embeds it: move it there"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPlatform(t)
			p.create("greeter", withDatabase, Inputs{})
			test.make(p)
			_, err := p.r.Service(p.model(), "greeter", Inputs{}, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "executing") {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestResourceMustBeAName(t *testing.T) {
	for name, valid := range map[string]bool{"order-line": true, "order2": true, "Order": false, "2order": false, "-a": false, "a-": false, "a--b": false, "a b": false} {
		if _, err := newResource("greeter", name); (err == nil) != valid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCreationAnnouncesOneEventWhateverIsAddedLater(t *testing.T) {
	for _, test := range []struct {
		made, later []string
		want        string
	}{
		{made: []string{"order.created.v1", "order.cancelled.v1"}, want: "order.created.v1"},
		{made: []string{"order.cancelled.v1", "order.created.v2"}, want: "order.created.v2"},
		{made: []string{"invoice.issued.v1"}, want: "invoice.issued.v1"},
		{made: []string{"a.opened.v1", "a.closed.v1", "user.created.v1"}, want: "a.opened.v1"},
		{made: []string{"invoice.issued.v1"}, later: []string{"order.paid.v1", "order.created.v1", "invoice.issued.v1"}, want: "invoice.issued.v1"},
		{made: []string{"invoice.issued.v1"}, later: []string{"order.paid.v1", "invoice.issued.v2"}, want: "invoice.issued.v2"},
		{made: []string{"invoice.issued.v1"}, later: []string{"order.paid.v1"}},
		{later: []string{"order.created.v1"}},
	} {
		d := service{inputs: NewInputs("orders", "", test.made)}
		if test.later == nil {
			test.later = test.made
		}
		for _, name := range test.later {
			d.Publishes = append(d.Publishes, eventType{Type: name})
		}
		got := ""
		if e := d.Announced(); e != nil {
			got = e.Type
		}
		if got != test.want {
			t.Errorf("made with %v, now %v: announces %q, want %q", test.made, d.Publishes, got, test.want)
		}
	}
}

func TestEventsThatAreAddedLaterArePublishedByNobody(t *testing.T) {
	for _, made := range [][]string{{"invoice.issued.v1"}, {"billing.created.v1"}, nil} {
		p := newPlatform(t)
		in := NewInputs("billing", "", made)
		p.create("billing", spec.Options{Database: "postgres", Publishes: made}, in)
		const handlers, declaration = "services/billing/internal/http/", "services/billing/service.yaml"
		create, test := p.read(handlers+"create_billing.go"), p.read(handlers+"handler_test.go")
		for _, added := range []string{"billing.paid.v1", "billing.cancelled.v1"} {
			p.write("contracts/events/"+added+".json", `{"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}`)
			edited, err := spec.Edit([]byte(p.read(declaration)), spec.AddPublished(added))
			if err != nil {
				t.Fatal(err)
			}
			p.write(declaration, string(edited))
		}
		p.sync("billing", in, nil)
		if diff := cmp.Diff(create, p.read(handlers+"create_billing.go")); diff != "" {
			t.Errorf("made with %v: %s", made, diff)
		}
		if now := p.read(handlers + "handler_test.go"); made != nil && test != now || strings.Contains(now, "Paid") {
			t.Errorf("made with %v: %s", made, cmp.Diff(test, now))
		}
		if text := p.read("services/billing/api/events.gen.go"); !strings.Contains(text, "To publish one where it happens") {
			t.Error(text)
		}
	}
}

// TestCachedStoreHidesWhatItDoesNotKnow: what a person adds to a store must not reach it past the cache unnoticed.
func TestCachedStoreHidesWhatItDoesNotKnow(t *testing.T) {
	p := newPlatform(t)
	p.create("carts", spec.Options{Cache: "redis"}, Inputs{})
	check := func() (messages []string) {
		c := newChecked(t)
		c.report = func(_ string, err error) { messages = append(messages, err.Error()) }
		c.all(p)
		return messages
	}
	if messages := check(); len(messages) > 0 {
		t.Fatal(messages)
	}
	const store, handler = "services/carts/internal/store/store.go", "services/carts/internal/http/handler.go"
	p.write(store, p.read(store)+"\nfunc (s *Store) Rename(_ context.Context, id, name string) error { s.carts[id] = Cart{ID: id, Name: name}; return nil }\n")
	p.write(handler, strings.Replace(p.read(handler), "type Store interface {", "type Store interface {\n\tRename(ctx context.Context, id, name string) error", 1))
	const want = "missing method Rename"
	if messages := check(); !slices.ContainsFunc(messages, func(m string) bool { return strings.Contains(m, want) }) {
		t.Errorf("got %v, want %s", messages, want)
	}
	if text := p.read("services/carts/internal/store/cached.go"); !strings.Contains(text, "must call\n// Forget") {
		t.Error(text)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkService(b *testing.B) {
	p, _ := goldenPlatform(b)
	m := p.model()
	files, err := p.r.Service(m, "greeter", golden[1].inputs, nil)
	if err != nil {
		b.Fatal(err)
	}
	run := func(cache Cache, fresh bool) func(*testing.B) {
		return func(b *testing.B) {
			r := p.r
			for b.Loop() {
				if fresh {
					b.StopTimer()
					if r, err = New(); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				if _, err := r.Service(m, "greeter", golden[1].inputs, cache); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("cold", run(nil, true))
	b.Run("contract unchanged", run(onlyAPI(newMemory(files)), false))
	b.Run("unchanged", run(newMemory(files), false))
}

// onlyAPI is what the cache has when something but the contract has changed.
func onlyAPI(all memory) memory {
	return memory{"services/greeter/api/api.gen.go": all["services/greeter/api/api.gen.go"]}
}

func BenchmarkContract(b *testing.B) {
	p, _ := goldenPlatform(b)
	raw := p.model().Service("greeter").Contract.Raw
	for b.Loop() {
		if _, err := openAPI(raw); err != nil {
			b.Fatal(err)
		}
	}
}
