package cluster

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// environmentObjects is all that an environment's kustomization makes.
func (p *Platform) environmentObjects() ([]*unstructured.Unstructured, error) {
	return p.kustomize(types.Kustomization{Resources: []string{"/" + filepath.ToSlash(environmentDir(p.Environment))}})
}

// serviceObjects is all that the services' kustomizations make, with what the environment changes of each.
func (p *Platform) serviceObjects() ([]*unstructured.Unstructured, error) {
	var k types.Kustomization
	for _, s := range p.Model.Services {
		k.Resources = append(k.Resources, "/"+path.Join(s.Dir, "deploy"))
	}
	if len(k.Resources) == 0 {
		return nil, nil
	}
	folders, err := p.environments()
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		component := filepath.ToSlash(filepath.Join(folder, "service"))
		if _, err := os.Stat(filepath.Join(p.Root, component, "kustomization.yaml")); err == nil {
			k.Components = append(k.Components, "/"+component)
		}
	}
	return p.kustomize(k)
}

// kustomize builds a kustomization that is in no file, over a copy of the platform's manifests in memory. Several steps ask for the same
// one: while no manifest changes, it is built once. The objects are the caller's own.
func (p *Platform) kustomize(k types.Kustomization) ([]*unstructured.Unstructured, error) {
	memory, sum, err := p.manifests()
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	const at = "/.cluster"
	for _, list := range [][]string{k.Resources, k.Components} {
		for i := range list {
			list[i] = ".." + list[i]
		}
	}
	k.TypeMeta = types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind}
	raw, err := yaml.Marshal(k)
	if err != nil {
		return nil, err
	}
	key := string(raw) + sum
	p.built.Lock()
	defer p.built.Unlock()
	if objects, before := p.built.objects[key]; before {
		return copies(objects), nil
	}
	if err := memory.WriteFile(at+"/kustomization.yaml", raw); err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(memory, at)
	if err != nil {
		return nil, fmt.Errorf("build the manifests: %w", err)
	}
	text, err := built.AsYaml()
	if err != nil {
		return nil, err
	}
	objects, err := decodeObjects(text)
	if err != nil {
		return nil, err
	}
	inOrder(objects)
	if p.built.objects == nil {
		p.built.objects = map[string][]*unstructured.Unstructured{}
	}
	p.built.objects[key] = objects
	return copies(objects), nil
}

// kustomized are the objects of kustomizations that were built, by the kustomization and a hash of all manifests.
type kustomized struct {
	sync.Mutex
	objects map[string][]*unstructured.Unstructured
}

func copies(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	all := make([]*unstructured.Unstructured, len(objects))
	for i, o := range objects {
		all[i] = o.DeepCopy()
	}
	return all
}

// manifests are the files that kustomizations are made of, in memory, and a hash of them all.
func (p *Platform) manifests() (memory filesys.FileSystem, sum string, err error) {
	root, err := os.OpenRoot(p.Root)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = root.Close() }()
	memory = filesys.MakeFsInMemory()
	hash := sha256.New()
	for _, folder := range []string{"mesh", "observability", "services"} {
		err := fs.WalkDir(root.FS(), folder, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && name == folder:
				return fs.SkipDir
			case err != nil:
				return err
			case entry.IsDir() && name == "mesh/proof":
				return fs.SkipDir
			case !entry.Type().IsRegular() || folder == "services" && !strings.Contains(name, "/deploy/"):
				return nil
			}
			content, err := fs.ReadFile(root.FS(), name)
			if err != nil {
				return err
			}
			fmt.Fprintf(hash, "%q %x\n", name, sha256.Sum256(content))
			return memory.WriteFile("/"+name, content)
		})
		if err != nil {
			return nil, "", err
		}
	}
	return memory, string(hash.Sum(nil)), nil
}

// decodeObjects reads the documents of a YAML text.
func decodeObjects(text []byte) ([]*unstructured.Unstructured, error) {
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var objects []*unstructured.Unstructured
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		switch {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(o.Object) == 0:
		default:
			objects = append(objects, o)
		}
	}
}

// firstKinds are made before all others, in this order: others need them.
var firstKinds = []string{"Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Secret", "ConfigMap"}

// lastKinds are made after all others, so that no pod starts before the rules that hold for it are there.
var lastKinds = []string{"Deployment", "StatefulSet", "DaemonSet", "Job"}

// inOrder sorts objects so that each can be made after those before it.
func inOrder(objects []*unstructured.Unstructured) {
	rank := func(o *unstructured.Unstructured) int {
		if i := slices.Index(firstKinds, o.GetKind()); i >= 0 {
			return i - len(firstKinds)
		}
		return 1 + slices.Index(lastKinds, o.GetKind())
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return cmp.Compare(rank(a), rank(b)) })
}

// containers calls fn with each container of an object that makes pods, and writes back what fn changes.
func containers(o *unstructured.Unstructured, fn func(container map[string]any)) {
	for _, at := range [][]string{{"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}} {
		for _, list := range []string{"initContainers", "containers"} {
			found, _, err := unstructured.NestedFieldNoCopy(o.Object, append(slices.Clone(at), list)...)
			if err != nil {
				continue
			}
			items, _ := found.([]any)
			for _, item := range items {
				if container, ok := item.(map[string]any); ok {
					fn(container)
				}
			}
		}
	}
}

// imagesOf are the images that objects run, each once; auto stands for what istiod puts there.
func imagesOf(objects []*unstructured.Unstructured) []string {
	var images []string
	for _, o := range objects {
		containers(o, func(c map[string]any) {
			if image, _ := c["image"].(string); image != "" && image != "auto" {
				images = append(images, image)
			}
		})
	}
	slices.Sort(images)
	return slices.Compact(images)
}

// thirdPartyImages are the images that run beside the services.
func (p *Platform) thirdPartyImages() ([]string, error) {
	objects, err := p.environmentObjects()
	if err != nil {
		return nil, err
	}
	images := imagesOf(objects)
	values, err := p.chartValues(istioCharts.istiod.values)
	if err != nil {
		return nil, err
	}
	hub, _, _ := unstructured.NestedString(values, "global", "hub")
	tag, _, _ := unstructured.NestedString(values, "global", "tag")
	names := []string{"pilot", "proxyv2"}
	if enabled, _, _ := unstructured.NestedBool(values, "pilot", "cni", "enabled"); enabled {
		names = append(names, "install-cni")
	}
	for _, name := range names {
		images = append(images, hub+"/"+name+":"+tag)
	}
	return images, nil
}
