package object

import (
	iofs "io/fs"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/trellis-mesh/trellis/internal/plan"
)

const root = "../../.."

// TestEnvironmentsBuild builds what a cluster is given, as kustomize does, and holds every object to its type and schema.
func TestEnvironmentsBuild(t *testing.T) {
	folders := []string{"mesh/environments/kind", "mesh/environments/lab", "mesh/environments/production"}
	services, err := filepath.Glob(filepath.Join(root, "services/*/deploy"))
	if err != nil || len(services) == 0 {
		t.Fatalf("services: %v, %v", services, err)
	}
	for _, dir := range services {
		folder, err := filepath.Rel(root, dir)
		if err != nil {
			t.Fatal(err)
		}
		folders = append(folders, filepath.ToSlash(folder))
	}
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) { build(t, filesys.MakeFsOnDisk(), filepath.Join(root, folder)) })
	}
	components, err := filepath.Glob(filepath.Join(root, "mesh/environments/production/components/*/kustomization.yaml"))
	if err != nil || len(components) == 0 {
		t.Fatalf("components: %v, %v", components, err)
	}
	for _, file := range components {
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.ToSlash(dir)
		t.Run(dir, func(t *testing.T) { build(t, withComponent(t, dir), "built") })
	}
	t.Run("a service on kind", func(t *testing.T) {
		fs := filesys.MakeFsInMemory()
		for _, file := range []string{
			"services/catalog/deploy/kustomization.yaml", "services/catalog/deploy/workload.yaml", "services/catalog/deploy/mesh.yaml",
			"services/catalog/deploy/migrate.yaml", "services/catalog/deploy/observability/kustomization.yaml",
			"services/catalog/deploy/observability/rules.yaml", "services/catalog/deploy/observability/dashboard.json",
			"mesh/environments/kind/service/kustomization.yaml",
		} {
			content, err := os.ReadFile(filepath.Join(root, file))
			if err == nil {
				err = fs.WriteFile(file, content)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		text := "resources: [../services/catalog/deploy]\ncomponents: [../mesh/environments/kind/service]\n"
		if err := fs.WriteFile("kind/kustomization.yaml", []byte(text)); err != nil {
			t.Fatal(err)
		}
		build(t, fs, "kind")
	})
}

// withComponent has the base of the mesh, what watches the platform, and a kustomization in the folder built with one component on top.
func withComponent(t *testing.T, component string) filesys.FileSystem {
	t.Helper()
	tree, fs := os.DirFS(root), filesys.MakeFsInMemory()
	for _, dir := range []string{"mesh/base", "observability", component} {
		files := 0
		err := iofs.WalkDir(tree, dir, func(file string, e iofs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			files++
			content, err := iofs.ReadFile(tree, file)
			if err != nil {
				return err
			}
			return fs.WriteFile(file, content)
		})
		if err != nil || files < 2 {
			t.Fatalf("%s has %d files, %v", dir, files, err)
		}
	}
	text := "resources: [../mesh/base]\ncomponents: [../" + component + "]\n"
	if err := fs.WriteFile("built/kustomization.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	return fs
}

func build(t *testing.T, fs filesys.FileSystem, dir string) {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	contents, problems := Read([]plan.File{{Path: "built.yaml", Content: text}})
	for _, p := range problems {
		t.Error(p)
	}
	if len(contents.Objects) != built.Size() || built.Size() < 4 {
		t.Errorf("%d objects were built, %d read", built.Size(), len(contents.Objects))
	}
}
