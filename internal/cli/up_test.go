package cli_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
)

// shop is a platform of generated services that can be built.
func shop(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs services")
	}
	dir := platform(t)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(repoRoot, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "chassis"), os.DirFS(filepath.Join(repoRoot, "chassis"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// scaffold is the command, to be run in dir. Trimmed paths let all copies of the platform share the build cache.
func scaffold(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	env := append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath"))
	return &exec.Cmd{Path: program, Args: append([]string{"scaffold"}, args...), Dir: dir, Env: env}
}

func mustRun(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
}

// freeBase finds room for a platform's ports, apart from those that other tests use and that the system gives to clients.
func freeBase(t *testing.T) string {
	t.Helper()
	const room = 32
	for base := 12000 + os.Getpid()%50*room; base < 14000; base += room {
		if free(base, base+room) {
			return strconv.Itoa(base)
		}
	}
	t.Fatal("no room for the platform's ports")
	return ""
}

func free(from, to int) bool {
	for port := from; port < to; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

// running is a `scaffold up --json`.
type running struct {
	cmd   *exec.Cmd
	table struct {
		Services []local.Endpoint
		Traces   string
	}
	log *lockedBuffer
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func up(t *testing.T, dir string) *running {
	t.Helper()
	r := &running{cmd: scaffold(t, dir, "up", "--json"), log: new(lockedBuffer)}
	r.cmd.Stderr = r.log
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("no table: %v\n%s", err, r.log)
	}
	if err := json.Unmarshal(line, &r.table); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return r
}

// stop sends Ctrl-C and gives the exit code.
func (r *running) stop(t *testing.T) int {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = r.cmd.Wait()
	for _, s := range r.table.Services {
		l, err := net.Listen("tcp", strings.TrimPrefix(s.API, "http://"))
		if err != nil {
			t.Errorf("%s still listens: %v", s.Service, err)
			continue
		}
		_ = l.Close()
	}
	return r.cmd.ProcessState.ExitCode()
}

func (r *running) service(name string) local.Endpoint {
	for _, s := range r.table.Services {
		if s.Service == name {
			return s
		}
	}
	return local.Endpoint{}
}

func request(t *testing.T, method, url, body string, want int) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != want {
		t.Fatalf("%s %s: %s: %s", method, url, res.Status, answer)
	}
	return answer
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-timeout:
			t.Fatalf("not within 30 s: %s", what)
		case <-tick.C:
		}
	}
}

func TestGeneratedServicesPassTheirTestsAndRunTogether(t *testing.T) {
	t.Parallel()
	dir := shop(t)
	declaration := "name: shop\nlocal: {portBase: " + freeBase(t) + "}\n"
	if err := os.WriteFile(filepath.Join(dir, "platform.yaml"), []byte(declaration), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, scaffold(t, dir, "new", "catalog", "--resource", "product", "--database", "postgres"))
	mustRun(t, scaffold(t, dir, "new", "billing", "--database", "postgres", "--call", "catalog:getProduct", "--publish", "invoice.issued.v1"))
	mustRun(t, scaffold(t, dir, "new", "mailer", "--cache", "redis", "--consume", "invoice.issued.v1"))
	for _, args := range [][]string{{"vet", "./services/..."}, {"test", "./services/..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = dir, scaffold(t, dir).Env
		mustRun(t, cmd)
	}
	mustRun(t, scaffold(t, dir, "check"))

	r := up(t, dir)
	var product struct{ ID string }
	if err := json.Unmarshal(request(t, "POST", r.service("catalog").API+"/v1/products", `{"name":"tea"}`, 201), &product); err != nil {
		t.Fatal(err)
	}
	request(t, "POST", r.service("billing").API+"/v1/billings", `{"name":"one","productId":"`+product.ID+`"}`, 201)
	eventually(t, "a trace crosses billing, catalog and mailer", func() bool {
		var traces []struct{ Services []string }
		if err := json.Unmarshal(request(t, "GET", r.table.Traces+"?service=mailer", "", 200), &traces); err != nil {
			t.Fatal(err)
		}
		return len(traces) > 0 && strings.Join(traces[0].Services, " ") == "billing catalog mailer"
	})
	if code := r.stop(t); code != 0 {
		t.Errorf("exit code %d after Ctrl-C:\n%s", code, r.log)
	}

	// What was written is still there; a service that is killed is reported, the rest goes on, and the exit code says so.
	r = up(t, dir)
	request(t, "GET", r.service("catalog").API+"/v1/products/"+product.ID, "", 200)
	if err := syscall.Kill(r.service("mailer").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of mailer is reported", func() bool {
		return strings.Contains(r.log.String(), "mailer exited: signal: killed")
	})
	request(t, "GET", r.service("billing").Health, "", 200)

	// A second one says by what the ports are taken.
	out, err := scaffold(t, dir, "up", "catalog").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "(catalog API) is taken by pid ") || !strings.Contains(string(out), "local.portBase in platform.yaml") {
		t.Errorf("a second up: %v\n%s", err, out)
	}
	if code := r.stop(t); code != 1 || !strings.Contains(r.log.String(), "error: mailer exited") {
		t.Errorf("exit code %d, want 1:\n%s", code, r.log)
	}
}
