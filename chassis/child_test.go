package chassis

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/event"
)

// children are the programs that the test binary can be.
var children = map[string]struct {
	spec Spec
	wire Wire
}{
	"worker": {
		spec: Spec{Name: "worker", Version: "v1.2.3", Consumes: []string{"stock.changed.v1"}},
		wire: func(_ context.Context, s *Service) error {
			s.Router().GET("/work", func(c *gin.Context) {
				select { // long enough for a signal to come in the middle of many
				case <-time.After(10 * time.Millisecond):
					c.Status(http.StatusNoContent)
				case <-c.Request.Context().Done():
				}
			})
			s.Consume("stock.changed.v1", func(context.Context, event.Event) error { return nil })
			s.OnStop("store", func(ctx context.Context) error {
				s.Log().InfoContext(ctx, "store stopped")
				return nil
			})
			return nil
		},
	},
	"hanging": {
		spec: Spec{Name: "hanging"},
		wire: func(_ context.Context, s *Service) error {
			s.Router().GET("/hang", func(c *gin.Context) {
				s.Log().InfoContext(c.Request.Context(), "hanging")
				<-c.Request.Context().Done()
			})
			return nil
		},
	},
	"broken": {
		spec: Spec{Name: "broken"},
		wire: func(_ context.Context, s *Service) error {
			s.Go("poller", func(context.Context) error { panic("nothing to poll") })
			return nil
		},
	},
	"unwired": {
		spec: Spec{Name: "unwired", Calls: []Call{{Service: "user-profile"}}},
		wire: noWire,
	},
}

// process is a child that runs, and the lines it has logged so far.
type process struct {
	*exec.Cmd
	t      *testing.T
	done   chan struct{}
	stderr bytes.Buffer

	mu    sync.Mutex
	lines []line
	more  chan struct{} // is closed and replaced when a line comes
}

type line struct {
	Msg, Step, Error, API, Admin, Level string
	At                                  time.Time `json:"-"`
}

func startChild(t *testing.T, name string, env ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0]), t: t, done: make(chan struct{}), more: make(chan struct{})}
	p.Env = append([]string{childVariable + "=" + name, "APP_HTTP_ADDR=127.0.0.1:0", "APP_ADMIN_ADDR=127.0.0.1:0"}, env...)
	p.Stderr = &p.stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			l := line{At: time.Now()}
			if json.Unmarshal(lines.Bytes(), &l) == nil {
				p.add(l)
			}
		}
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.done
		_ = p.Wait()
	})
	return p
}

func (p *process) add(l line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, l)
	close(p.more)
	p.more = make(chan struct{})
}

// logged waits for a line that fits.
func (p *process) logged(what string, fits func(line) bool) line {
	p.t.Helper()
	limit := time.After(20 * time.Second)
	for from := 0; ; {
		p.mu.Lock()
		lines, more := p.lines[from:], p.more
		p.mu.Unlock()
		for _, l := range lines {
			if fits(l) {
				return l
			}
		}
		from += len(lines)
		select {
		case <-more:
		case <-p.done:
			p.t.Fatalf("the child ended without a line that says %s", what)
		case <-limit:
			p.t.Fatalf("no line that says %s", what)
		}
	}
}

func (p *process) ready() line {
	p.t.Helper()
	return p.logged("ready", func(l line) bool { return l.Msg == "ready" })
}

func (p *process) stopped(step string) line {
	p.t.Helper()
	return p.logged(step, func(l line) bool { return l.Msg == "stopping" && l.Step == step })
}

// signal sends SIGTERM.
func (p *process) signal() {
	p.t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the process's end and gives its code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.t.Fatal("the child does not end")
	}
	_ = p.Wait()
	return p.ProcessState.ExitCode()
}

func (p *process) messages() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if l.Step != "" {
			all = append(all, l.Step)
		} else {
			all = append(all, l.Msg)
		}
	}
	return all
}
