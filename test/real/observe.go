package real

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// The versions that .ci/setup installs in the user's cache.
const (
	jaegerVersion = "2.13.0"
	lokiVersion   = "3.7.8"
)

// Watcher is one of the servers that watch the platform: Prometheus, Alertmanager, Jaeger or Loki.
type Watcher struct {
	// URL is where it is asked, without a slash at the end.
	URL string

	dir     string
	ports   map[int]int
	process *process
}

// Address is where the server listens instead of at a port of its configuration.
func (w *Watcher) Address(port int) string { return fmt.Sprintf("127.0.0.1:%d", w.ports[port]) }

// Log is what the server has written so far.
func (w *Watcher) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(w.process.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Files are texts by their names in the folder of a server.
type Files map[string][]byte

// recipe says how a server is run.
type recipe struct {
	path      string
	files     Files
	args      []string
	env       []string
	ready     string // path that answers 200 when the server is ready
	readyPort int    // of its configuration; 0 for that of its URL
}

// watch starts a server for this test alone. Build gives the recipe for its folder, and takes free ports from port, of which the one for
// 0 is that of the URL.
func watch(t testing.TB, name string, build func(dir string, port func(int) int) (recipe, error)) *Watcher {
	t.Helper()
	var w *Watcher
	var err error
	for range 3 { // another process may take a port between its choice and its use
		if w, err = watchOnce(name, build); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.process.kill()
		_ = os.RemoveAll(w.dir)
	})
	return w
}

func watchOnce(name string, build func(dir string, port func(int) int) (recipe, error)) (*Watcher, error) {
	dir, err := folder(name)
	if err != nil {
		return nil, err
	}
	w := &Watcher{dir: dir, ports: map[int]int{}}
	var portErr error
	port := func(configured int) int {
		if w.ports[configured] == 0 && portErr == nil {
			w.ports[configured], portErr = freePort()
		}
		return w.ports[configured]
	}
	r, err := build(dir, port)
	if err == nil {
		err = portErr
	}
	if err == nil {
		w.URL = "http://" + w.Address(0)
		err = w.start(r)
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return w, nil
}

func (w *Watcher) start(r recipe) error {
	for name, text := range r.files {
		path := filepath.Join(w.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	p, err := start(w.dir, r.env, nil, r.path, r.args...)
	if err != nil {
		return err
	}
	w.process = p
	if err := p.await(60*time.Second, func(ctx context.Context) error { return answers(ctx, "http://"+w.Address(r.readyPort)+r.ready) }); err != nil {
		p.kill()
		return err
	}
	return nil
}

// answers is an error unless the answer is 200.
func answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return fmt.Errorf("%s: %s: %s", url, resp.Status, text)
	}
	return nil
}

// cached gives a program that .ci/setup has put into the user's cache.
func cached(name, version string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "trellis", name, version, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s %s is not at %s: %s", name, version, path, remedy)
	}
	return path, nil
}

// listening are the addresses of a configuration at which its own server listens: of all interfaces, or of this machine.
var listening = regexp.MustCompile(`(0\.0\.0\.0|127\.0\.0\.1|localhost):(\d+)\b`)

// hosted are such addresses as the collector writes those of its own metrics.
var hosted = regexp.MustCompile(`(?m)^(\s*host: )(?:0\.0\.0\.0|127\.0\.0\.1|localhost)$(\s*port: )(\d+)$`)

// moved gives a configuration whose server listens at free ports of this machine instead.
func moved(config []byte, port func(int) int) []byte {
	free := func(text string) string {
		n, _ := strconv.Atoi(text) // digits, as matched
		return strconv.Itoa(port(n))
	}
	config = listening.ReplaceAllFunc(config, func(b []byte) []byte {
		return []byte("127.0.0.1:" + free(string(listening.FindSubmatch(b)[2])))
	})
	return hosted.ReplaceAllFunc(config, func(b []byte) []byte {
		m := hosted.FindSubmatch(b)
		return []byte(string(m[1]) + "127.0.0.1" + string(m[2]) + free(string(m[3])))
	})
}

// below gives a configuration whose files are in another folder.
func below(config []byte, from, to string) []byte {
	path := regexp.MustCompile(`(?m)(^|[\s"'])` + regexp.QuoteMeta(from) + `(/|["'\s]|$)`)
	return path.ReplaceAll(config, []byte("${1}"+to+"${2}"))
}
