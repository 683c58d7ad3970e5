package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// istioKinds are the types of what is rendered for Istio, by apiVersion and kind.
var istioKinds = map[string]func() proto.Message{
	"networking.istio.io/v1 DestinationRule":     func() proto.Message { return &networking.DestinationRule{} },
	"networking.istio.io/v1 Gateway":             func() proto.Message { return &networking.Gateway{} },
	"networking.istio.io/v1 ServiceEntry":        func() proto.Message { return &networking.ServiceEntry{} },
	"networking.istio.io/v1 Sidecar":             func() proto.Message { return &networking.Sidecar{} },
	"networking.istio.io/v1 VirtualService":      func() proto.Message { return &networking.VirtualService{} },
	"networking.istio.io/v1alpha3 EnvoyFilter":   func() proto.Message { return &networking.EnvoyFilter{} },
	"security.istio.io/v1 AuthorizationPolicy":   func() proto.Message { return &security.AuthorizationPolicy{} },
	"security.istio.io/v1 PeerAuthentication":    func() proto.Message { return &security.PeerAuthentication{} },
	"security.istio.io/v1 RequestAuthentication": func() proto.Message { return &security.RequestAuthentication{} },
	"telemetry.istio.io/v1 Telemetry":            func() proto.Message { return &telemetry.Telemetry{} },
}

// decodeStrictly reads a value as Istio does, and refuses fields that Istio does not know.
func decodeStrictly(value any, into proto.Message) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	decoder := *networking.VirtualServiceUnmarshaler // Istio's is lenient
	decoder.AllowUnknownFields = false
	return decoder.Unmarshal(bytes.NewReader(raw), into.(interface {
		proto.Message
		Reset()
		String() string
		ProtoMessage()
	}))
}

// wholeMesh is a platform in which everything occurs that the mesh is made of.
func wholeMesh(t *testing.T) []plan.File {
	t.Helper()
	p := shopMesh(t, map[string]string{
		"catalog": "ingress: [listProducts, getProduct, putProduct]\ndatabase: {kind: postgres}\ncache: {kind: redis}\ntraffic: {canary: {version: v2, weight: 10, header: {}}}\n",
		"orders":  "calls: {catalog: {operations: [getProduct, createProduct]}}\nexternals: [{host: a.example}, {host: b.example, port: 6514, tls: passthrough}, {host: c.example, port: 8080, tls: none}]\n",
		"users":   "calls: {catalog: {operations: [getProduct], retry: {attempts: 1}}}\n",
	})
	files := p.rendered()
	m := p.model()
	platform, err := p.r.Platform(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(files, platform...)
}

// istioObjects are the documents of all rendered files that Istio reads, by file.
func istioObjects(t *testing.T, files []plan.File) map[string][]map[string]any {
	t.Helper()
	all := map[string][]map[string]any{}
	for _, f := range files {
		if strings.HasPrefix(f.Path, "mesh/base/") || path.Base(f.Path) == "mesh.yaml" {
			for _, o := range objects(t, string(f.Content)) {
				if strings.Contains(o["apiVersion"].(string), "istio.io") {
					all[f.Path] = append(all[f.Path], o)
				}
			}
		}
	}
	return all
}

func TestIstioKnowsEveryFieldThatIsRendered(t *testing.T) {
	if decodeStrictly(map[string]any{"hostz": []string{"a"}}, &networking.VirtualService{}) == nil {
		t.Fatal("an unknown field is accepted")
	}
	unseen := map[string]bool{}
	for kind := range istioKinds {
		unseen[kind] = true
	}
	for file, all := range istioObjects(t, wholeMesh(t)) {
		for _, o := range all {
			kind := fmt.Sprintf("%s %s", o["apiVersion"], o["kind"])
			newKind := istioKinds[kind]
			if newKind == nil {
				t.Errorf("%s: unknown kind %s", file, kind)
				continue
			}
			delete(unseen, kind)
			if err := decodeStrictly(o["spec"], newKind()); err != nil {
				t.Errorf("%s: %s %v: %v", file, kind, at(t, o, "metadata", "name"), err)
			}
		}
	}
	for kind := range unseen {
		t.Errorf("no %s is rendered", kind)
	}
}

func TestIstioKnowsTheMeshConfiguration(t *testing.T) {
	files := wholeMesh(t)
	i := slices.IndexFunc(files, func(f plan.File) bool { return f.Path == "mesh/istio/istiod.yaml" })
	var values map[string]any
	if err := yaml.NewDecoder(bytes.NewReader(files[i].Content)).Decode(&values); err != nil {
		t.Fatal(err)
	}
	var config meshconfig.MeshConfig
	if err := decodeStrictly(values["meshConfig"], &config); err != nil {
		t.Fatal(err)
	}
	if config.TrustDomain != "shop.local" || config.DefaultHttpRetryPolicy == nil || config.DefaultHttpRetryPolicy.Attempts != 0 {
		t.Errorf("mesh configuration %v", &config)
	}
	providers := map[string]bool{"prometheus": true} // which Istio has of its own
	for _, p := range config.ExtensionProviders {
		providers[p.Name] = true
	}
	for _, o := range istioObjects(t, files)["mesh/base/telemetry.yaml"] {
		for _, what := range []string{"tracing", "accessLogging", "metrics"} {
			if name := at(t, o, "spec", what, 0, "providers", 0, "name").(string); !providers[name] {
				t.Errorf("%s goes to %s, which is no provider", what, name)
			}
		}
	}
}

// TestObjectsAreNamedOnce looks for two documents that would overwrite each other.
func TestObjectsAreNamedOnce(t *testing.T) {
	seen := map[string]string{}
	for file, all := range istioObjects(t, wholeMesh(t)) {
		for _, o := range all {
			key := fmt.Sprint(o["kind"], at(t, o, "metadata", "namespace"), at(t, o, "metadata", "name"))
			if other, twice := seen[key]; twice {
				t.Errorf("%s is in both %s and %s", key, other, file)
			}
			seen[key] = file
		}
	}
}

func TestPlatformNamesNoService(t *testing.T) {
	p := shopMesh(t, map[string]string{"catalog": "", "orders": "calls: {catalog: {operations: [getProduct]}}\n"})
	before, err := p.r.Platform(p.model(), nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.r.Platform(p.model(), newMemory(before))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range before {
		for _, name := range []string{"catalog", "orders"} {
			if named := p.r.NamesServices(f.Path); bytes.Contains(f.Content, []byte(name)) != named {
				t.Errorf("%s names %s: %v, want %v", f.Path, name, !named, named)
			}
		}
		if !bytes.Equal(f.Content, again[i].Content) || f.InputHash == "" {
			t.Errorf("%s is another the second time", f.Path)
		}
	}
	changed := *p.model()
	platform := *changed.Platform
	platform.TrustDomain = "other.example"
	changed.Platform = &platform
	changed.Services = changed.Services[:1]
	after, err := p.r.Platform(&changed, newMemory(before))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range after {
		if p.r.NamesServices(f.Path) && bytes.Equal(f.Content, before[i].Content) {
			t.Errorf("%s is of the services before", f.Path)
		}
		if f.Path == "mesh/istio/istiod.yaml" && !bytes.Contains(f.Content, []byte("trustDomain: other.example")) {
			t.Error("the mesh configuration is not of the new declaration")
		}
	}
}

// TestTemplateSetsHaveOneVersion: a state names one for all files.
func TestTemplateSetsHaveOneVersion(t *testing.T) {
	r, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	if r.services.Version != r.platform.Version {
		t.Errorf("templates/service is %s, templates/platform %s", r.services.Version, r.platform.Version)
	}
}
