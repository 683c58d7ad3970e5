package cli

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestOverlayIsAFileSystem(t *testing.T) {
	o := overlay{
		below: fstest.MapFS{
			"platform.yaml":              {Data: []byte("name: shop\n")},
			"services/a/service.yaml":    {Data: []byte("name: a\n")},
			"services/gone/service.yaml": {Data: []byte("name: gone\n")},
			"services/gone-not/main.go":  {Data: []byte("package main\n")},
		},
		files: map[string][]byte{
			"services/a/service.yaml": []byte("name: a # edited\n"),
			"services/b/service.yaml": []byte("name: b\n"),
			"services/b/api/x.yaml":   {},
			"platform.yaml":           nil,
		},
		hidden: "services/gone",
	}
	var names []string
	err := fs.WalkDir(o, ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"services/a/service.yaml", "services/b/api/x.yaml", "services/b/service.yaml", "services/gone-not/main.go"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	for _, name := range want {
		f, err := o.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		content, err := o.ReadFile(name)
		if err != nil || info.Size() != int64(len(content)) {
			t.Errorf("%s: %d bytes by Stat, %d by ReadFile: %v", name, info.Size(), len(content), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if content, _ := o.ReadFile("services/a/service.yaml"); string(content) != "name: a # edited\n" {
		t.Errorf("the edit is not seen: %q", content)
	}
	for _, name := range []string{"platform.yaml", "services/gone/service.yaml", "services/gone"} {
		if _, err := o.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open %s: %v", name, err)
		}
		if _, err := o.ReadFile(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ReadFile %s: %v", name, err)
		}
	}
	if _, err := o.ReadDir("nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadDir of nothing: %v", err)
	}
}
