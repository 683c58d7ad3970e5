package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	discoveryfake "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	clienttesting "k8s.io/client-go/testing"
)

// api is a cluster's API in memory. It knows the kinds below, stores what is applied whole, and gives the same text as the log of
// every container.
type api struct {
	*client
	fake *fake.FakeDynamicClient
	log  string
}

var knownKinds = []*metav1.APIResourceList{
	{GroupVersion: "v1", APIResources: []metav1.APIResource{
		{Name: "pods", Kind: "Pod", Namespaced: true}, {Name: "events", Kind: "Event", Namespaced: true},
		{Name: "secrets", Kind: "Secret", Namespaced: true}, {Name: "configmaps", Kind: "ConfigMap", Namespaced: true},
		{Name: "services", Kind: "Service", Namespaced: true}, {Name: "nodes", Kind: "Node"}, {Name: "namespaces", Kind: "Namespace"},
		{Name: "persistentvolumeclaims", Kind: "PersistentVolumeClaim", Namespaced: true},
	}},
	{GroupVersion: "apps/v1", APIResources: []metav1.APIResource{
		{Name: "deployments", Kind: "Deployment", Namespaced: true}, {Name: "statefulsets", Kind: "StatefulSet", Namespaced: true},
		{Name: "daemonsets", Kind: "DaemonSet", Namespaced: true},
	}},
	{GroupVersion: "batch/v1", APIResources: []metav1.APIResource{{Name: "jobs", Kind: "Job", Namespaced: true}}},
}

func newAPI(t *testing.T, objects ...*unstructured.Unstructured) *api {
	t.Helper()
	lists, stored := map[schema.GroupVersionResource]string{}, []runtime.Object{}
	for _, list := range knownKinds {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			lists[version.WithResource(r.Name)] = r.Kind + "List"
		}
	}
	for _, o := range objects {
		stored = append(stored, o)
	}
	a := &api{fake: fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, stored...)}
	a.fake.PrependReactor("patch", "*", a.apply)
	discovery := memory.NewMemCacheClient(&discoveryfake.FakeDiscovery{Fake: &clienttesting.Fake{Resources: knownKinds}})
	a.client = &client{
		config: &rest.Config{Host: "https://cluster.invalid"}, dynamic: a.fake, discovery: discovery,
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(discovery), http: &http.Client{Transport: a},
	}
	return a
}

// apply is what the fake does not do: a server-side apply. Fields that are not said stay, one level down.
func (a *api) apply(action clienttesting.Action) (bool, runtime.Object, error) {
	patch, ok := action.(clienttesting.PatchAction)
	if !ok || patch.GetPatchType() != types.ApplyPatchType {
		return false, nil, nil
	}
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal(patch.GetPatch(), &o.Object); err != nil {
		return true, nil, err
	}
	before, err := a.fake.Tracker().Get(action.GetResource(), action.GetNamespace(), patch.GetName())
	if apierrors.IsNotFound(err) {
		return true, o, a.fake.Tracker().Create(action.GetResource(), o, action.GetNamespace())
	}
	if err != nil {
		return true, nil, err
	}
	merged := before.(*unstructured.Unstructured).DeepCopy()
	for key, value := range o.Object {
		old, isMap := merged.Object[key].(map[string]any)
		fields, alsoMap := value.(map[string]any)
		if !isMap || !alsoMap {
			merged.Object[key] = value
			continue
		}
		for field, v := range fields {
			old[field] = v
		}
	}
	return true, merged, a.fake.Tracker().Update(action.GetResource(), merged, action.GetNamespace())
}

// RoundTrip answers with the log.
func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/log") {
		return nil, fmt.Errorf("nothing answers at %s", r.URL)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(a.log)), Request: r}, nil
}

// changes are what was done to the cluster, as "create Secret-resource namespace/name".
func (a *api) changes() []string {
	var out []string
	for _, action := range a.fake.Actions() {
		if slices.Contains([]string{"get", "list", "watch"}, action.GetVerb()) {
			continue
		}
		name := ""
		switch named := action.(type) {
		case clienttesting.CreateAction:
			if o, ok := named.GetObject().(*unstructured.Unstructured); ok {
				name = o.GetName()
			}
		case interface{ GetName() string }:
			name = named.GetName()
		}
		out = append(out, action.GetVerb()+" "+action.GetResource().Resource+" "+action.GetNamespace()+"/"+name)
	}
	return out
}

func (a *api) must(t *testing.T, resource schema.GroupVersionResource, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	o, err := a.fake.Tracker().Get(resource, namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	return o.(*unstructured.Unstructured)
}

// object reads one from YAML, with whole numbers as the API gives them.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	objects, err := decodeObjects([]byte(text))
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects, %v in:\n%s", len(objects), err, text)
	}
	raw, err := json.Marshal(objects[0])
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return o
}
