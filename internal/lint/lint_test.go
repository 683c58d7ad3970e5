package lint

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

const schema = `{"type": "object", "properties": {"id": {"type": "string"}}}`

func contract(operations ...string) string {
	var b strings.Builder
	b.WriteString("openapi: 3.0.3\ninfo: {title: a, version: 1.0.0}\npaths:\n")
	for _, id := range operations {
		fmt.Fprintf(&b, "  /v1/%s:\n    get: {operationId: %s, responses: {\"200\": {description: Done.}}}\n", id, id)
	}
	return b.String()
}

// shop is a platform in which all is well; tests write single files anew.
func shop(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range map[string]string{
		"go.mod":                                   "module example.com/shop\n",
		"platform.yaml":                            "name: shop\n",
		"services/catalog/service.yaml":            "name: catalog\nevents: {publishes: [product.created.v1]}\ningress: [getProduct]\n",
		"services/orders/service.yaml":             "name: orders\ncalls:\n  catalog: {operations: [getProduct, listProducts], timeout: 800ms, retry: {attempts: 2, perTry: 400ms}}\nevents: {consumes: [product.created.v1]}\n",
		"services/users/service.yaml":              "name: users\ncalls:\n  orders: {operations: [getOrder]}\n  catalog: {operations: [getProduct]}\n",
		"services/catalog/api/openapi.yaml":        contract("getProduct", "listProducts"),
		"services/orders/api/openapi.yaml":         contract("getOrder"),
		"services/users/api/openapi.yaml":          contract("getUser"),
		"contracts/events/product.created.v1.json": schema,
	} {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func load(t *testing.T, files map[string]string) *spec.Model {
	t.Helper()
	m, err := spec.Load(shop(files))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSoundPlatformHasNoProblems(t *testing.T) {
	m := load(t, nil)
	if problems := append(Check(m, rendered(t, nil)), Contracts(m)...); len(problems) > 0 {
		t.Error(problems)
	}
}

const (
	catalogFile = "services/catalog/service.yaml"
	ordersFile  = "services/orders/service.yaml"
	usersFile   = "services/users/service.yaml"
)

func TestFaultsInDeclarationsAreFound(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"unknown callee", map[string]string{usersFile: "name: users\ncalls:\n  catalogue: {operations: [getProduct]}\n"},
			`services/users/service.yaml:3:3: users calls catalogue, but there is no such service
    did you mean catalog?`},
		{"unknown operation", map[string]string{usersFile: "name: users\ncalls:\n  catalog: {operations: [getProduct, getProdukt]}\n"},
			`services/users/service.yaml:3:38: catalog has no operation getProdukt
    did you mean getProduct?`},
		{"unknown operation far from any", map[string]string{usersFile: "name: users\ncalls:\n  catalog: {operations: [buy]}\n"},
			`services/users/service.yaml:3:26: catalog has no operation buy
    its operations are: getProduct, listProducts`},
		{"operation of a service without any", map[string]string{"services/orders/api/openapi.yaml": "openapi: 3.0.3\ninfo: {title: a, version: 1.0.0}\npaths: {}\n"},
			`services/users/service.yaml:3:25: orders has no operation getOrder
    its operations are: none`},
		{"call to itself", map[string]string{usersFile: "name: users\ncalls:\n  users: {operations: [getUser]}\n"},
			`services/users/service.yaml:3:3: users calls itself
    call the function itself, without the network`},
		{"circle of two", map[string]string{catalogFile: "name: catalog\nevents: {publishes: [product.created.v1]}\ncalls:\n  orders: {operations: [getOrder]}\n"},
			`services/catalog/service.yaml:4:3: synchronous calls run in a circle: catalog → orders → catalog
    break it: let one of these calls become an event that is consumed`},
		{"circle of three", map[string]string{
			catalogFile: "name: catalog\nevents: {publishes: [product.created.v1]}\ncalls:\n  users: {operations: [getUser]}\n",
			usersFile:   "name: users\ncalls:\n  orders: {operations: [getOrder]}\n"},
			`services/catalog/service.yaml:4:3: synchronous calls run in a circle: catalog → users → orders → catalog
    break it: let one of these calls become an event that is consumed`},
		{"timeout too short for its attempts", map[string]string{usersFile: "name: users\ncalls:\n  catalog: {operations: [getProduct], timeout: 800ms, retry: {attempts: 3, perTry: 300ms}}\n"},
			`services/users/service.yaml:3:48: the call to catalog has 800ms in all, but its 3 attempts of 300ms each need 900ms
    raise timeout to 900ms or lower retry.perTry to 266ms`},
		{"default timeout too short for its attempts", map[string]string{usersFile: "name: users\ncalls:\n  catalog: {operations: [getProduct], retry: {perTry: 1m}}\nhttp: {timeout: 2m}\n"},
			`services/users/service.yaml:3:55: the call to catalog has 1s in all, but its 2 attempts of 1m each need 2m
    raise timeout to 2m or lower retry.perTry to 500ms`},
		{"call longer than the default deadline", map[string]string{usersFile: "name: users\ncalls:\n  catalog: {operations: [getProduct], timeout: 15s}\n"},
			`services/users/service.yaml:3:48: the call to catalog may take 15s, but users itself must have answered after 15s
    lower the call's timeout, or raise http.timeout above it`},
		{"default call longer than the deadline", map[string]string{usersFile: "name: users\nhttp: {timeout: 500ms}\ncalls:\n  catalog: {operations: [getProduct]}\n"},
			`services/users/service.yaml:4:3: the call to catalog may take 1s, but users itself must have answered after 500ms
    lower the call's timeout, or raise http.timeout above it`},
		{"consumed event without publisher", map[string]string{usersFile: "name: users\nevents: {consumes: [product.create.v1]}\n"},
			`services/users/service.yaml:2:21: no service publishes the event product.create.v1
    did you mean product.created.v1?`},
		{"consumed event and none published", map[string]string{catalogFile: "name: catalog\n", usersFile: "name: users\nevents: {consumes: [mail.sent.v1]}\n", ordersFile: "name: orders\n"},
			`services/users/service.yaml:2:21: no service publishes the event mail.sent.v1
    declare it under events.publishes of the service that sends it: ` + "`scaffold add NAME event publish mail.sent.v1`"},
		{"published event without schema", map[string]string{usersFile: "name: users\nevents: {publishes: [user.created.v1]}\n"},
			`services/users/service.yaml:2:22: the event user.created.v1 has no schema
    write its JSON Schema to contracts/events/user.created.v1.json`},
		{"consumed event without schema", map[string]string{usersFile: "name: users\nevents: {publishes: [user.created.v1]}\n", ordersFile: "name: orders\nevents: {consumes: [user.created.v1]}\n"},
			`services/users/service.yaml:2:22: the event user.created.v1 has no schema
    write its JSON Schema to contracts/events/user.created.v1.json`},
		{"events that Go takes for one", map[string]string{
			catalogFile: "name: catalog\nevents: {publishes: [product.created.v1, product.was-made.v1]}\n",
			usersFile:   "name: users\nevents:\n  publishes: [product-was.made.v1]\n  consumes: [product.created.v1, product.was-made.v1]\n",
			"contracts/events/product.was-made.v1.json": schema, "contracts/events/product-was.made.v1.json": schema},
			`services/users/service.yaml:4:34: the events product-was.made.v1 and product.was-made.v1 give the same Go name, ProductWasMadeV1
    rename one of the two`},
		{"ingress of an unknown operation", map[string]string{usersFile: "name: users\ningress: [getUser, getUsers]\n"},
			`services/users/service.yaml:2:20: users has no operation getUsers
    did you mean getUser?`},
		{"admin port", map[string]string{usersFile: "name: users\nhttp: {port: 9090}\n"},
			`services/users/service.yaml:2:14: http.port is 9090, which is the admin port of every service
    choose another, or remove the line for the default, 8080`},
		{"shards without a database", map[string]string{usersFile: "name: users\ndatabase: {shards: [s1, s2]}\n"},
			`services/users/service.yaml:2:12: users has shards, but no database
    set database.kind to postgres, or remove database.shards`},
		{"a single shard", map[string]string{usersFile: "name: users\ndatabase: {kind: postgres, shards: [s1]}\n"},
			`services/users/service.yaml:2:28: users has one shard, over which nothing can be spread
    name another, or remove database.shards`},
		{"a shard that is called as a service", map[string]string{
			usersFile:                            "name: users\ndatabase: {kind: postgres, shards: [s1, s2]}\n",
			"services/users-s2/service.yaml":     "name: users-s2\n",
			"services/users-s2/api/openapi.yaml": "openapi: 3.0.3\ninfo: {title: a, version: 1.0.0}\npaths: {}\n"},
			`services/users/service.yaml:2:41: the shard s2 has the database users-s2, a name that belongs to users-s2
    give the shard another name`},
		{"replicas", map[string]string{usersFile: "name: users\nrun: {replicas: {min: 7}}\n"},
			`services/users/service.yaml:2:7: run.replicas.min is 7, above max, which is 6
    raise max or lower min`},
		{"processors", map[string]string{usersFile: "name: users\nrun: {cpu: {request: 1}}\n"},
			`services/users/service.yaml:2:7: run.cpu.request is 1, above limit, which is 500m
    raise limit or lower request`},
		{"memory", map[string]string{usersFile: "name: users\nrun: {memory: {limit: 32Mi}}\n"},
			`services/users/service.yaml:2:7: run.memory.request is 64Mi, above limit, which is 32Mi
    raise limit or lower request`},
	} {
		t.Run(test.name, func(t *testing.T) {
			problems := Check(load(t, test.files), nil)
			if diff := cmp.Diff(test.want, problems.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestContractsAreValidated(t *testing.T) {
	m := load(t, map[string]string{"services/users/api/openapi.yaml": strings.Replace(contract("getUser"), "description: Done.", "text: Done.", 1)})
	problems := Contracts(m)
	if len(problems) != 1 || !strings.HasPrefix(problems.Error(), "services/users/api/openapi.yaml:5:") || !strings.Contains(problems.Error(), "not valid OpenAPI 3.0") {
		t.Errorf("got %v", problems)
	}
}

// rendered gives the deploy folder of orders, each file changed by the pairs of old and new texts.
func rendered(t *testing.T, change map[string]string) []plan.File {
	t.Helper()
	var files []plan.File
	for _, name := range []string{"workload.yaml", "kustomization.yaml"} {
		raw, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		for old, by := range change {
			text = strings.Replace(text, old, by, 1)
		}
		files = append(files, plan.File{Path: "services/orders/deploy/" + name, Content: []byte(text)})
	}
	return append(files,
		plan.File{Path: "services/orders/deploy/dashboard.json", Content: []byte("{}")},
		plan.File{Path: "services/orders/deploy/rules.yaml", Content: []byte("groups: []\n")},
		plan.File{Path: "services/orders/main.go", Content: []byte("package main\n")})
}

func TestFaultsInRenderedManifestsAreFound(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"container port", "{name: http, containerPort: 8080}", "{name: http, containerPort: 8081}", "workload.yaml:19:43: the port http is 8081, but orders listens on 8080"},
		{"admin port missing", "{name: admin, containerPort: 9090}", "{name: metrics, containerPort: 9090}", "workload.yaml:6:7: the Deployment has no port named admin"},
		{"port twice", "{name: admin, containerPort: 9090}", "{name: admin, containerPort: 9090}\n            - {name: admin, containerPort: 9091}", "workload.yaml:21:44: the port admin stands twice in the pod"},
		{"liveness path", "{path: /health/live, port: 9090}", "{path: /healthz, port: 9090}", "workload.yaml:24:29: the liveness probe asks for /healthz, but services answer at /health/live"},
		{"readiness path", "/health/ready, port", "/health/live, port", "workload.yaml:26:29: the readiness probe asks for /health/live, but services answer at /health/ready"},
		{"probe port", "{path: /health/ready, port: http}", "{path: /health/ready, port: web}", "workload.yaml:26:50: the readiness probe asks the port web, which the container orders does not have"},
		{"deployment selector", "    matchLabels: {app: orders}\n  template", "    matchLabels: {app: order}\n  template", "workload.yaml:10:24: the Deployment orders selects app: order, but its own pods do not have that label"},
		{"service selector", "selector: {app: orders}", "selector: {app: orders, version: v2}", "workload.yaml:32:36: the Service orders selects version: v2, but the pods of orders do not have that label"},
		{"service without selector", "  selector: {app: orders}\n", "", "workload.yaml:29:7: the Service orders selects nothing"},
		{"target port", "targetPort: http,", "targetPort: web,", "workload.yaml:34:42: the Service's port http leads to the port web, which no container has"},
		{"service port's name", "{name: http, port: 80,", "{name: web, port: 80,", "workload.yaml:29:7: the Service has no port named http, so the mesh would not read its requests"},
		{"service account missing", "kind: ServiceAccount\nmetadata: {name: orders}", "kind: ServiceAccount\nmetadata: {name: order}", "workload.yaml:15:27: the Deployment runs as the service account orders, which is not there"},
		{"another service account", "serviceAccountName: orders", "serviceAccountName: order", "workload.yaml:15:27: the Deployment runs as the service account order, but policies know the service as orders"},
		{"service of another name", "kind: Service\nmetadata: {name: orders}", "kind: Service\nmetadata: {name: order}", "workload.yaml:6:7: there is no Service named orders, by which callers reach these pods"},
		{"no service account", "      serviceAccountName: orders\n", "", "workload.yaml:6:7: the Deployment names no service account, so the mesh cannot tell orders from others"},
		{"autoscaler's target", "kind: Deployment, name: orders", "kind: Deployment, name: order", "workload.yaml:41:65: the autoscaler scales the Deployment order, which is not there"},
		{"autoscaler's bounds", "maxReplicas: 6", "maxReplicas: 9", "workload.yaml:42:16: the autoscaler runs 2 to 9 replicas, but run.replicas says 2 to 6"},
		{"disruption budget", "matchLabels: {app: orders}\n---\napiVersion: networking", "matchLabels: {ap: orders}\n---\napiVersion: networking", "workload.yaml:50:23: the PodDisruptionBudget orders selects ap: orders, but the pods of orders do not have that label"},
		{"network policy's pods", "matchLabels: {app: orders}\n  ingress", "matchLabels: {app: catalog}\n  ingress", "workload.yaml:57:24: the NetworkPolicy orders selects app: catalog, but the pods of orders do not have that label"},
		{"network policy's port", "- {port: 9090}", "- {port: 9091}", "workload.yaml:61:18: the NetworkPolicy leads to the port 9091, which no container has"},
		{"not YAML", "kind: Deployment\n", "kind: [\n", "workload.yaml:1:1: the rendered YAML cannot be read: yaml: line 5: did not find expected ',' or ']'"},
		{"kustomization lists what is not there", "- workload.yaml", "- workload.yaml\n  - mesh.yaml", "kustomization.yaml:5:5: kustomization.yaml lists mesh.yaml, which is not there"},
		{"kustomization lists twice", "- workload.yaml", "- workload.yaml\n  - workload.yaml", "kustomization.yaml:5:5: kustomization.yaml lists workload.yaml twice"},
		{"kustomization forgets", "resources:\n  - workload.yaml\n", "", "workload.yaml:1:1: kustomization.yaml does not list workload.yaml, so it would not be deployed"},
		{"kustomization's generator", "=dashboard.json", "=dash.json", "kustomization.yaml:7:13: kustomization.yaml lists dash.json, which is not there"},
	} {
		t.Run(test.name, func(t *testing.T) {
			problems := Check(load(t, nil), rendered(t, map[string]string{test.old: test.new}))
			if diff := cmp.Diff("services/orders/deploy/"+test.want, strings.TrimSuffix(strings.TrimSuffix(problems.Error(), "\n    "+syncAgain), "\n    correct the template")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEachGroupOfCirclesIsToldOnce(t *testing.T) {
	files := map[string]string{}
	declare := func(name string, callees ...string) {
		text := "name: " + name + "\ncalls:\n"
		for _, callee := range callees {
			text += "  " + callee + ": {operations: [get]}\n"
		}
		files["services/"+name+"/service.yaml"] = text
		files["services/"+name+"/api/openapi.yaml"] = contract("get")
	}
	declare("a", "b", "d")
	declare("b", "c")
	declare("c", "a", "d")
	declare("d", "c")
	declare("e", "f", "a")
	declare("f", "g")
	declare("g", "f", "e")
	declare("h", "a", "e")
	var circles []string
	for _, p := range Check(load(t, files), nil) {
		circles = append(circles, p.Message)
	}
	want := []string{
		"synchronous calls run in a circle: a → b → c → a",
		"synchronous calls run in a circle: e → f → g → e",
	}
	if diff := cmp.Diff(want, circles); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkCheck(b *testing.B) {
	raw, err := os.ReadFile("testdata/workload.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{3, 50, 500} {
		b.Run(fmt.Sprintf("services=%d", n), func(b *testing.B) {
			declarations := map[string]string{}
			var files []plan.File
			for i := range n {
				name := fmt.Sprintf("service-%d", i)
				dir := "services/" + name
				declarations[dir+"/service.yaml"] = fmt.Sprintf("name: %s\ncalls:\n  catalog: {operations: [getProduct]}\n", name)
				declarations[dir+"/api/openapi.yaml"] = contract("getThing")
				files = append(files, plan.File{Path: dir + "/deploy/workload.yaml", Content: raw})
			}
			m, err := spec.Load(shop(declarations))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if problems := Check(m, files); len(problems) == 0 {
					b.Fatal("the manifests are all of orders, and it was not seen")
				}
			}
		})
	}
}
