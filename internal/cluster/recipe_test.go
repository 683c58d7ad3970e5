package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// programs is a platform of two programs of which only the first uses the package greet, with a docker command that has every image.
func programs(t *testing.T) (*Platform, fakeDocker) {
	t.Helper()
	path := os.Getenv("PATH")
	docker := newFakeDocker(t, map[string]string{"image": "sha256:1234"})
	t.Setenv("PATH", docker.dir+string(filepath.ListSeparator)+path) // the go command, too
	t.Setenv("GOFLAGS", "")
	return small(t, Options{}, map[string]string{
		"services/a/main.go":   "package main\n\nimport \"example.com/shop/greet\"\n\nfunc main() { println(greet.Word()) }\n",
		"services/b/main.go":   "package main\n\nfunc main() {}\n",
		"greet/greet.go":       "package greet\n\nimport _ \"embed\"\n\n//go:embed word.txt\nvar word string\n\n//go:noinline\nfunc Word() string { return more(word) }\n",
		"greet/more.go":        "package greet\n\n//go:noinline\nfunc more(s string) string { return s + \"1\" }\n",
		"greet/word.txt":       "hello",
		"services/a/readme.md": "",
	}), docker
}

func recipesOf(t *testing.T, p *Platform) map[string]string {
	t.Helper()
	recipes, err := p.recipes(t.Context(), []string{"services/a", "services/b"})
	if err != nil {
		t.Fatal(err)
	}
	return recipes
}

func TestRecipeIsOfAllThatIsInAnImage(t *testing.T) {
	p, docker := programs(t)
	before := recipesOf(t, p)
	for _, change := range []struct {
		name, file, text string
		a, b             bool // whether the recipe of each program becomes another
	}{
		{"nothing", "services/a/readme.md", "what no program is made of", false, false},
		{"the body of a function in a package that one uses", "greet/more.go", "package greet\n\n//go:noinline\nfunc more(s string) string { return s + \"2\" }\n", true, false},
		{"an embedded file", "greet/word.txt", "good bye", true, false},
		{"a program", "services/b/main.go", "package main\n\nfunc main() { println() }\n", false, true},
		{"a file that ko adds", "services/a/kodata/page.html", "<p>", true, false},
		{"the settings of ko", ".ko.yaml", "builds: []\n", true, true},
	} {
		write(t, filepath.Join(p.Root, change.file), change.text)
		now := recipesOf(t, p)
		if a, b := now["services/a"] != before["services/a"], now["services/b"] != before["services/b"]; a != change.a || b != change.b {
			t.Errorf("%s: the recipes of a and b become others: %v and %v, want %v and %v", change.name, a, b, change.a, change.b)
		}
		before = now
	}
	docker.answers(t, "image", "sha256:5678")
	if now := recipesOf(t, p); now["services/a"] == before["services/a"] {
		t.Error("the recipe is the same on another base image")
	}
}

func TestImageThatWouldComeOutTheSameIsNotBuilt(t *testing.T) {
	p, docker := programs(t)
	folders := []string{"services/a", "services/b"}
	made := map[string]string{"services/a": "ko.local/shop/a:1", "services/b": "ko.local/shop/b:1"}
	if err := p.remember(recipesOf(t, p), made); err != nil {
		t.Fatal(err)
	}
	images, err := p.buildImages(t.Context(), quietly, folders) // ko is not to be had here
	if err != nil || images["a"] != made["services/a"] || images["b"] != made["services/b"] {
		t.Errorf("images %v, %v", images, err)
	}

	write(t, filepath.Join(p.Root, "greet", "word.txt"), "good bye")
	if again := p.remembered(t.Context(), recipesOf(t, p)); again["services/a"] != "" || again["services/b"] == "" {
		t.Errorf("after a change of a's program, what is there is %v", again)
	}
	docker.answers(t, "image", "!Error: No such image")
	if again := p.remembered(t.Context(), recipesOf(t, p)); len(again) != 0 {
		t.Errorf("without an image, what is there is %v", again)
	}
	write(t, filepath.Join(p.Root, builtFile), `{"services/a": {"rec`)
	if before := p.builtBefore(); len(before) != 0 {
		t.Errorf("of a broken file, %v was read", before)
	}
}

func TestRecipeIsFoundFromElsewhere(t *testing.T) {
	p, _ := programs(t)
	want := recipesOf(t, p)
	linked := filepath.Join(t.TempDir(), "linked")
	if err := os.Symlink(p.Root, linked); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(linked))
	for _, root := range []string{linked, "linked"} {
		p.Root = root
		if got := recipesOf(t, p); got["services/a"] != want["services/a"] {
			t.Errorf("from %s, the recipe is another", root)
		}
	}
}

func TestProgramThatDoesNotCompileIsTold(t *testing.T) {
	p, _ := programs(t)
	write(t, filepath.Join(p.Root, "services/b/main.go"), "package main\n\nfunc main() { x }\n")
	_, err := p.buildImages(t.Context(), quietly, []string{"services/b"})
	mustSay(t, err, "main.go:3:15: undefined: x", "go build ./...")
	if err != nil && strings.Contains(err.Error(), "base image") {
		t.Errorf("the base image is blamed for code: %v", err)
	}
}
