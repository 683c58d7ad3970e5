package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// envoyEnv names the program.
const envoyEnv = "TRELLIS_ENVOY"

// envoyVersion is the one that .ci/setup fetches.
const envoyVersion = "1.40.0"

// How long an Envoy may take to hold its configuration, and to end.
const (
	envoyStart = 30 * time.Second
	envoyStop  = 5 * time.Second
)

// envoy is a running proxy.
type envoy struct {
	dir   string
	admin *http.Client
	cmd   *exec.Cmd
	ended chan struct{}
	close func() // the server of its certificates
}

// startEnvoy runs an Envoy in the pod's network. It is to be awaited with ready.
func startEnvoy(program string, p *pod, xds string, mesh, public *authority) (*envoy, error) {
	dir, err := os.MkdirTemp("", "mesh-") // short: the path of a Unix socket has 107 bytes
	if err != nil {
		return nil, fmt.Errorf("make a folder for an Envoy: %w", err)
	}
	e := &envoy{dir: dir, ended: make(chan struct{}), close: func() {}}
	if err := e.start(program, p, xds, mesh, public); err != nil {
		e.close()
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("start the Envoy of %s: %w", p.name, err)
	}
	return e, nil
}

func (e *envoy) start(program string, p *pod, xds string, mesh, public *authority) (err error) {
	s := sockets{xds, filepath.Join(e.dir, "sds"), filepath.Join(e.dir, "admin")}
	e.admin = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", s.admin)
		},
	}}
	if e.close, err = serveIdentity(mesh, public, p.identity, s.sds); err != nil {
		e.close = func() {}
		return err
	}
	bootstrap, err := p.bootstrap(s)
	if err != nil {
		return err
	}
	file := filepath.Join(e.dir, "bootstrap.json")
	if err := os.WriteFile(file, bootstrap, 0o600); err != nil {
		return fmt.Errorf("write the bootstrap: %w", err)
	}
	log, err := os.Create(filepath.Join(e.dir, "log"))
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	e.cmd = exec.Command(program, "-c", file, "--disable-hot-restart", "--concurrency", "1", "--drain-time-s", "1", //nolint:gosec // what TRELLIS_ENVOY names
		"-l", "warning", "--component-log-level", "misc:error") // misc tells of every deprecated field
	e.cmd.Stdout, e.cmd.Stderr = log, log
	// The kernel ends it when this program is killed.
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.net.do(e.cmd.Start); err != nil {
		return err
	}
	go func() {
		_ = e.cmd.Wait()
		close(e.ended)
	}()
	return nil
}

// ready waits until Envoy has its whole configuration.
func (e *envoy) ready() error {
	timeout := time.After(envoyStart)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if s, err := e.page("/ready"); err == nil && strings.HasPrefix(s, "LIVE") {
			return nil
		}
		select {
		case <-e.ended:
			return fmt.Errorf("it ended:\n%s", e.log())
		case <-timeout:
			return fmt.Errorf("it is not ready after %v:\n%s", envoyStart, e.log())
		case <-tick.C:
		}
	}
}

// stop ends the process and removes its files.
func (e *envoy) stop() {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.ended:
	case <-time.After(envoyStop):
		_ = e.cmd.Process.Kill()
		<-e.ended
	}
	e.close()
	_ = os.RemoveAll(e.dir)
}

// log is what Envoy wrote.
func (e *envoy) log() string {
	b, err := os.ReadFile(filepath.Join(e.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// page reads a page of the admin interface.
func (e *envoy) page(path string) (string, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://admin"+path, nil)
	if err != nil {
		return "", fmt.Errorf("ask for %s: %w", path, err)
	}
	response, err := e.admin.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var b bytes.Buffer
	if _, err = io.Copy(&b, response.Body); err == nil && response.StatusCode >= http.StatusBadRequest && response.StatusCode != http.StatusServiceUnavailable {
		err = errors.New(response.Status)
	}
	return b.String(), err
}

// stat adds up the counters and gauges whose whole name matches the pattern.
func (e *envoy) stat(pattern string) (int, error) {
	text, err := e.page("/stats?type=All")
	if err != nil {
		return 0, fmt.Errorf("read the statistics: %w", err)
	}
	sum := 0
	for _, line := range regexp.MustCompile(`(?m)^(?:`+pattern+`): (\d+)$`).FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(line[1])
		if err != nil {
			return 0, fmt.Errorf("read the statistics: %w", err)
		}
		sum += n
	}
	return sum, nil
}

// rejected says what configuration Envoy refused; nothing when it took all. An Envoy that refused some is ready all the same.
func (e *envoy) rejected() (string, error) {
	n, err := e.stat(`.*\.(?:update_rejected|update_failure)`)
	if err != nil || n == 0 {
		return "", err
	}
	return fmt.Sprintf("%d updates rejected:\n%s", n, e.log()), nil
}
