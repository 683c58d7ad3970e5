package spec

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const wholeService = `name: orders                      # DNS label; hyphens are fine everywhere
owner: checkout
summary: Takes orders and drives each to completed or cancelled.
http: {port: 8080, contract: api/openapi.yaml}
database: {kind: postgres}        # none | postgres (SQLite when run locally)
cache: {kind: none}               # none | redis
calls:                            # synchronous, through the mesh
  inventory:
    operations: [getStock, reserveStock]     # operationIds of inventory's contract: nothing else is allowed
    timeout: 800ms
    retry: {attempts: 2, perTry: 300ms}      # applied to idempotent operations only
    concurrency: 20                          # bulkhead
    onFailure: fail                          # fail | degrade
events:
  publishes: [order.created.v1, order.cancelled.v1]
  consumes: [inventory.reserved.v1, payment.processed.v1]
externals:                        # anything outside the mesh; all else is refused on the way out
  - {host: api.psp.example, port: 443, tls: originate}
ingress: [createOrder, getOrder]  # operations reachable from outside
traffic:
  outlier: {consecutive5xx: 5, interval: 10s, ejection: 30s, maxEjected: 50}
  pool: {connections: 100, pending: 50, requests: 1000}
  canary: {version: v2, weight: 10, header: {name: x-canary, value: "true"}}
slo: {availability: 99.9, latency: {percentile: 99, under: 300ms}, window: 30d}
run: {replicas: {min: 2, max: 6}, cpu: {request: 50m, limit: 500m}, memory: {request: 64Mi, limit: 128Mi}}
`

const file = "services/orders/service.yaml"

// standard is what a service is by the defaults alone.
func standard(name string) *Service {
	return &Service{
		Name: name, Owner: "platform", Summary: "The " + name + " service.", Dir: "services/orders",
		HTTP:     HTTP{Port: 8080, Contract: "api/openapi.yaml", Timeout: 15 * time.Second},
		Database: Database{Kind: "none"}, Cache: Cache{"none"}, Flags: Flags{"none"},
		Traffic: Traffic{Version: "v1", Outlier: Outlier{5, 10 * time.Second, 30 * time.Second, 50}, Pool: Pool{100, 50, 1000}},
		SLO:     SLO{99.9, Latency{99, 500 * time.Millisecond}, 30 * 24 * time.Hour},
		Run:     Run{Replicas{2, 6}, Quantity{"50m", "500m"}, Quantity{"64Mi", "128Mi"}},
	}
}

var withoutPlaces = cmpopts.IgnoreFields(Service{}, "Positions", "Contract")

func parse(t *testing.T, text string) *Service {
	t.Helper()
	s, err := ParseService(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestThreeLinesMakeAService(t *testing.T) {
	want := standard("orders")
	want.Owner, want.Summary = "checkout", "Takes orders."
	got := parse(t, "name: orders\nowner: checkout\nsummary: Takes orders.\n")
	if diff := cmp.Diff(want, got, withoutPlaces); diff != "" {
		t.Error(diff)
	}
}

func TestWholeDeclarationIsRead(t *testing.T) {
	want := standard("orders")
	want.Owner, want.Summary = "checkout", "Takes orders and drives each to completed or cancelled."
	want.Database.Kind = "postgres"
	want.Calls = map[string]*Call{"inventory": {
		Operations: []string{"getStock", "reserveStock"}, Timeout: 800 * time.Millisecond,
		Retry: Retry{2, 300 * time.Millisecond}, Concurrency: 20, OnFailure: "fail",
	}}
	want.Events = Events{[]string{"order.created.v1", "order.cancelled.v1"}, []string{"inventory.reserved.v1", "payment.processed.v1"}}
	want.Externals = []External{{"api.psp.example", 443, "originate"}}
	want.Ingress = []string{"createOrder", "getOrder"}
	want.Traffic.Canary = &Canary{Version: "v2", Weight: 10, Header: &Header{"x-canary", "true"}}
	want.SLO.Latency.Under = 300 * time.Millisecond
	if diff := cmp.Diff(want, parse(t, wholeService), withoutPlaces); diff != "" {
		t.Error(diff)
	}
}

func TestDefaultsThatDependOnOtherFields(t *testing.T) {
	s := parse(t, "name: a-b\ncalls:\n  c: {operations: [x]}\n  d: {operations: [y], timeout: 1s, retry: {attempts: 3}}\ntraffic: {canary: {version: v2}}\n")
	if got := s.Calls["c"]; got.Timeout != time.Second || got.Retry != (Retry{2, 500 * time.Millisecond}) || got.Concurrency != 20 || got.OnFailure != "fail" {
		t.Errorf("call without options is %+v", got)
	}
	if got := s.Calls["d"].Retry.PerTry; got != 333*time.Millisecond {
		t.Errorf("perTry of three attempts in 1s is %s", got)
	}
	if got := *s.Traffic.Canary; got != (Canary{Version: "v2"}) {
		t.Errorf("canary without options is %+v", got)
	}
	s = parse(t, "name: a\ntraffic: {canary: {version: v2, header: {}}}\n")
	if got := s.Traffic.Canary.Header; got == nil || *got != (Header{"x-canary", "true"}) {
		t.Errorf("header without options is %+v", got)
	}
}

// Every default and example in the tags must itself be allowed, or a file could not be written out in full.
func TestDefaultsAndExamplesAreAllowed(t *testing.T) {
	var walk func(typ reflect.Type, outer rules)
	walk = func(typ reflect.Type, outer rules) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for _, f := range declared(typ) {
			r := outer.inherit(f)
			inner := f.Type
			if inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			for _, text := range []string{r.standard, f.Tag.Get("example")} {
				if text == "" {
					continue
				}
				if problem := set(text, reflect.New(inner).Elem(), r); problem != nil {
					t.Errorf("%s.%s: %s %s", typ.Name(), f.Name, text, problem.message)
				}
			}
			if _, known := kinds[r.is]; r.is != "" && !known {
				t.Errorf("%s.%s: the kind %q is not known", typ.Name(), f.Name, r.is)
			}
			walk(f.Type, r)
		}
	}
	walk(reflect.TypeFor[Service](), rules{})
	walk(reflect.TypeFor[Platform](), rules{})
}

func TestPositions(t *testing.T) {
	s := parse(t, wholeService)
	for path, want := range map[string]string{
		"name":                          "1:7",
		"http.port":                     "4:14",
		"calls.inventory":               "8:3",
		"calls.inventory.operations[1]": "9:28",
		"calls.inventory.retry.perTry":  "11:34",
		"events.consumes":               "16:3",
		"externals[0].host":             "18:12",
		"calls.inventory.missing":       "8:3",
		"run.cpu.request.none":          "25:50",
		"nothing":                       "1:1",
	} {
		if got := s.At(path).String(); got != file+":"+want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
}

// The texts are the golden ones: people meet them more often than any document.
func TestBrokenDeclarationGivesOneProblem(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"empty file", "", `1:1: the file is empty
    three lines make a service:
    name: orders
    owner: the team that answers for it
    summary: what it is for, in a sentence`},
		{"only a comment", "# nothing\n", `1:1: the file is empty
    three lines make a service:
    name: orders
    owner: the team that answers for it
    summary: what it is for, in a sentence`},
		{"a list", "- name: orders\n", `1:1: the file must hold keys and values, not a list
    write one "key: value" a line`},
		{"a word", "orders\n", `1:1: the file must hold keys and values, not "orders"
    write one "key: value" a line`},
		{"two documents", "name: orders\n---\nname: other\n", `2:1: the file holds a second document
    keep one document and remove the rest, with the line ---`},
		{"an anchor", "name: &n orders\nowner: x\n", `1:7: anchors and aliases (& and *) are not supported here
    write the value out in each place`},
		{"a tab", "name: orders\nhttp:\n\tport: 8080\n", `3:1: a tab indents this line, and YAML allows only spaces
    replace the tab by two spaces`},
		{"a bracket left open", "name: orders\nhttp: {port: 8080\nowner: x\n", `2:1: the YAML cannot be read: did not find expected ',' or '}'
    look at this line and the one above: indentation, quotes, colons`},
		{"wrong indentation", "name: orders\nhttp:\n  port: 8080\n timeout: 1s\nowner: x\n", `4:2: the YAML cannot be read: did not find expected key
    look at this line and the one above: indentation, quotes, colons`},
		{"colon in a text", "name: orders\nsummary: orders: all of them\n", `2:1: the YAML cannot be read: mapping values are not allowed in this context
    look at this line and the one above: indentation, quotes, colons`},
		{"not UTF-8", "name: orders\nsummary: caf\xe9\n", `2:13: the text is not UTF-8
    save the file as UTF-8`},
		{"a control character", "name: orders\nsummary: a\x00b\n", `2:11: a control character, '\x00', stands here
    remove it`},
		{"a line separator", "name: orders\nsummary: a\u2028b\n", `2:11: a control character, '\u2028', stands here
    remove it`},
		{"unknown key", "name: orders\nhttp: {prot: 8080}\n", `2:8: unknown key "prot" in http
    did you mean port?`},
		{"unknown key far from any", "name: orders\nrun: {disk: 1}\n", `2:7: unknown key "disk" in run
    the keys here are: cpu, memory, replicas`},
		{"key in the wrong place", "name: orders\nkind: postgres\n", `2:1: unknown key "kind"
    it belongs elsewhere: database.kind, cache.kind, flags.kind`},
		{"duplicate key", "name: orders\nowner: a\nowner: b\n", `3:1: owner stands twice: first on line 2
    remove one of the two`},
		{"key that is no word", "name: orders\n[a]: b\n", `2:1: a key must be text, not a list
    write a single word`},
		{"no name", "owner: checkout\n", `1:1: name is missing
    add name: orders`},
		{"bad name", "name: Orders_V1\n", `1:7: name is "Orders_V1", which is not a DNS label
    use lower-case letters and digits, in words joined by hyphens, a letter first: orders-v1`},
		{"long name", "name: " + strings.Repeat("a", 41) + "\n", `1:7: name is "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", which is longer than 40 characters
    shorten it`},
		{"reserved name", "name: internal\n", `1:7: name is "internal", which is reserved: Go treats a folder of that name specially
    choose another`},
		{"device as a name", "name: con\n", `1:7: name is "con", which is reserved: it is a device on Windows, and Go builds no folder or file of that name
    choose another`},
		{"device as an event's name", "name: a\nevents: {publishes: [aux.read.v1]}\n", `2:22: events.publishes[0] is "aux.read.v1", which begins with a reserved word: a file called aux is a device on Windows
    choose another`},
		{"keyword as a name", "name: func\n", `1:7: name is "func", which is reserved: it is a keyword of Go
    choose another`},
		{"bad port", "name: orders\nhttp: {port: 99999}\n", `2:14: http.port is 99999, outside 1024 to 65535
    write a value from 1024 to 65535; without it the default is 8080`},
		{"port in words", "name: orders\nhttp: {port: eighty}\n", `2:14: http.port must be a number, not "eighty"
    write a value from 1024 to 65535; without it the default is 8080`},
		{"port beyond any number", "name: orders\nhttp: {port: 99999999999999999999}\n", `2:14: http.port must be a number, not the number 99999999999999999999
    write a value from 1024 to 65535; without it the default is 8080`},
		{"wrong shape", "name: orders\nhttp: 8080\n", `2:7: http must hold keys and values, not the number 8080
    write one "key: value" a line below it, or {key: value}`},
		{"word instead of a list", "name: orders\ningress: getOrder\n", `2:10: ingress must hold a list, not "getOrder"
    write one "- item" a line below it, or [item, item]`},
		{"list instead of a word", "name: orders\nowner: [a, b]\n", `2:8: owner must be a single value, not a list
    write it on the key's own line; without it the default is platform`},
		{"value missing", "name: orders\nowner:\n", `2:7: owner has no value
    write one, or remove the line; without it the default is platform`},
		{"number as text", "name: orders\nowner: 12\n", `2:8: owner must be text, not the number 12
    put it in quotes: "12"`},
		{"unknown kind", "name: orders\ndatabase: {kind: postgress}\n", `2:18: database.kind is "postgress", which is not one of the allowed values
    did you mean postgres?`},
		{"duration without unit", "name: orders\nhttp: {timeout: 800}\n", `2:17: http.timeout is 800, without a unit
    write a duration from 1ms to 5m; without it the default is 15s`},
		{"days where there are none", "name: orders\nhttp: {timeout: 1d}\n", `2:17: http.timeout is "1d", which is no duration
    write a duration from 1ms to 5m; without it the default is 15s`},
		{"negative duration", "name: orders\nhttp: {timeout: -1s}\n", `2:17: http.timeout is "-1s", which is no duration
    write a duration from 1ms to 5m; without it the default is 15s`},
		{"window too long", "name: orders\nslo: {window: 365d}\n", `2:15: slo.window is 365d, outside 1d to 90d
    write a duration from 1d to 90d; without it the default is 30d`},
		{"weight", "name: orders\ntraffic: {canary: {version: v2, weight: 101}}\n", `2:41: traffic.canary.weight is 101, outside 0 to 100
    write a value from 0 to 100; without it the default is 0`},
		{"not a number", "name: orders\nslo: {availability: .nan}\n", `2:21: slo.availability must be a number, not .nan
    write a value from 50 to 99.999; without it the default is 99.9`},
		{"wrong unit of memory", "name: orders\nrun: {memory: {limit: 128MB}}\n", `2:23: run.memory.limit is "128MB", which is not an amount of memory
    write bytes with a unit of Ki, Mi, Gi, k, M or G, such as 128Mi`},
		{"no processor", "name: orders\nrun: {cpu: {limit: 0}}\n", `2:20: run.cpu.limit is "0", which is nothing at all
    choose another`},
		{"short host name", "name: orders\nexternals: [{host: psp}]\n", `2:20: externals[0].host is "psp", which is not a fully qualified host name
    write the whole name without scheme, port or path, such as api.example.com`},
		{"address", "name: orders\nexternals: [{host: 10.0.0.1}]\n", `2:20: externals[0].host is "10.0.0.1", which is an address, and certificates and policies need a name
    choose another`},
		{"host inside the cluster", "name: orders\nexternals: [{host: postgres.data.svc.cluster.local}]\n", `2:20: externals[0].host is "postgres.data.svc.cluster.local", which is a name inside the cluster: declare a call instead
    choose another`},
		{"host twice", "name: orders\nexternals: [{host: a.b}, {host: a.b, port: 443}]\n", `2:26: externals names a.b:443 again: it is on line 2 already
    remove one of the two`},
		{"call without operations", "name: orders\ncalls:\n  users: {timeout: 1s}\n", `3:3: calls.users.operations is missing
    add operations: [getStock]`},
		{"call with no operation", "name: orders\ncalls:\n  users: {operations: []}\n", `3:11: calls.users.operations is empty
    name at least one, or remove calls.users`},
		{"callee twice", "name: orders\ncalls:\n  users: {operations: [a]}\n  users: {operations: [b]}\n", `4:3: calls.users stands twice: first on line 3
    remove one of the two`},
		{"operation twice", "name: orders\ncalls:\n  users: {operations: [a, a]}\n", `3:27: calls.users.operations names a again: it is on line 3 already
    remove one of the two`},
		{"event type", "name: orders\nevents: {publishes: [order.created]}\n", `2:22: events.publishes[0] is "order.created", which is not an event type
    write name.verb.version in lower case, such as order.created.v1`},
		{"path out of the folder", "name: orders\nhttp: {contract: ../users/api/openapi.yaml}\n", `2:18: http.contract is "../users/api/openapi.yaml", which is not the path of a YAML or JSON file below the service's folder
    write it relative to the service's folder, such as api/openapi.yaml`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseService(file, []byte(test.text))
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("no problems but %v", err)
			}
			if diff := cmp.Diff(file+":"+test.want, problems.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAllProblemsOfAFileAreToldAtOnce(t *testing.T) {
	_, err := ParseService(file, []byte("name: Orders\nhttp: {port: 1, prot: 2}\nowner: [a]\nrun: {cpu: 1}\n"))
	want := `services/orders/service.yaml:1:7: name is "Orders", which is not a DNS label
    use lower-case letters and digits, in words joined by hyphens, a letter first: orders
services/orders/service.yaml:2:14: http.port is 1, outside 1024 to 65535
    write a value from 1024 to 65535; without it the default is 8080
services/orders/service.yaml:2:17: unknown key "prot" in http
    did you mean port?
services/orders/service.yaml:3:8: owner must be a single value, not a list
    write it on the key's own line; without it the default is platform
services/orders/service.yaml:4:12: run.cpu must hold keys and values, not the number 1
    write one "key: value" a line below it, or {key: value}`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestUnusualFilesAreRead(t *testing.T) {
	for name, text := range map[string]string{
		"byte order mark":        "\uFEFFname: orders\n",
		"CRLF":                   "name: orders\r\nhttp:\r\n  port: 8080\r\n",
		"no newline at the end":  "name: orders",
		"document marker":        "---\nname: orders\n...\n",
		"JSON":                   `{"name": "orders", "http": {"port": 8080}}`,
		"sections without lines": "name: orders\ncalls:\nevents:\n  publishes:\nhttp:\nexternals:\ntraffic:\n  canary:\n",
		"quoted":                 "\"name\": 'orders'\n",
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(standard("orders"), parse(t, text), withoutPlaces, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHugeFilesAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"too many bytes": "name: orders\n" + strings.Repeat("# long\n", maxDeclaration/7+1),
		"too deep":       "name: " + strings.Repeat("[", 20000),
		"a bomb":         "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nname: *c\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseService(file, []byte(text)); err == nil {
				t.Error("it was read")
			}
		})
	}
}

func TestHyphensAreFineInEveryName(t *testing.T) {
	s := parse(t, "name: order-items-2\ncalls:\n  stock-keeper: {operations: [getStock]}\nevents: {publishes: [order-item.was-added.v1]}\ntraffic: {canary: {version: v2-rc}}\n")
	if s.Name != "order-items-2" || s.Calls["stock-keeper"] == nil || GoName(s.Name) != "OrderItems2" || GoName(s.Events.Publishes[0]) != "OrderItemWasAddedV1" {
		t.Errorf("read %+v", s)
	}
}

func TestNoServiceIsADeviceOfWindows(t *testing.T) {
	for _, name := range []string{"con", "prn", "aux", "nul", "com1", "com9", "lpt1", "lpt9"} {
		if _, err := ParseService("services/"+name+"/service.yaml", []byte("name: "+name+"\n")); err == nil || !strings.Contains(err.Error(), "device") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"cons", "console", "com", "com0", "com10", "lpt", "aux-con", "null"} {
		if IsDevice(name) {
			t.Errorf("%s is no device", name)
		}
	}
}
