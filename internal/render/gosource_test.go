package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGoSourceImportsWhatTheFileUses(t *testing.T) {
	packages := map[string]string{
		"fmt": "fmt", "http": "net/http", "time": "time", "url": "net/url", "gin": "github.com/gin-gonic/gin", "redis": "github.com/redis/go-redis/v9",
		"catalogapi": module + "/services/catalog/api", "event": module + "/chassis/event",
	}
	const text = `// Header.

package x

// F uses a local url, and time in a comment only: time.Now.
func F(url struct{ Path string })   *gin.Context {
	fmt.Println(url.Path, http.StatusOK, catalogapi.X, event.New, redis.Nil)
	return nil
}
`
	const want = `// Header.

package x

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"

	"github.com/trellis-mesh/trellis/chassis/event"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
)

// F uses a local url, and time in a comment only: time.Now.
func F(url struct{ Path string }) *gin.Context {
	fmt.Println(url.Path, http.StatusOK, catalogapi.X, event.New, redis.Nil)
	return nil
}
`
	got, err := goSource(text, packages, module)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestGoSourceWithFewImports(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"none", "package x\n\nvar a = 1\n", "package x\n\nvar a = 1\n"},
		{"one", "package x\n\nvar a = fmt.Sprint()\n", "package x\n\nimport \"fmt\"\n\nvar a = fmt.Sprint()\n"},
		{"embed", "package x\n\n//go:embed a.txt\nvar a string\n", "package x\n\nimport _ \"embed\"\n\n//go:embed a.txt\nvar a string\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := goSource(test.text, map[string]string{"fmt": "fmt"}, module)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGoSourceRefusesWhatIsNoGo(t *testing.T) {
	for text, want := range map[string]string{
		"func f() {}\n":                            "no package clause",
		"package x\n\nfunc f() {\n":                "expected '}'",
		"package x\n\ntype A int\n\nfunc A() {}\n": "declared twice: A",
	} {
		if _, err := goSource(text, nil, module); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
