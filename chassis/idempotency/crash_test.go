package idempotency_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
)

// The crash test kills a service at each moment of a request and has the next one get the repetitions. The service is this test
// binary, started again with childEnv set: only a process can be killed as a process is.
const childEnv = "TRELLIS_TEST_IDEMPOTENCY"

// child is what the child process is told: its database, and where it dies; nowhere when Die is "".
type child struct{ URL, Die string }

// moments at which a service dies.
var moments = []string{"before the transaction", "in the transaction", "after the commit"}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := runChild(text); err != nil {
			fmt.Println("child:", err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// orphan is a testing.TB of a process that is no test.
type orphan struct{ testing.TB }

func (orphan) Helper() {}

func (orphan) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func runChild(text string) error {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	db, err := database.Open(context.Background(), c.URL, database.Options{})
	if err != nil {
		return err
	}
	s := openShop(orphan{}, db, func(o *idempotency.Options) { o.Lease = 300 * time.Millisecond })
	s.handle = c.deadly
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return (&http.Server{Handler: s.server, ReadHeaderTimeout: time.Minute}).Serve(listener)
}

// deadly is the handler create that dies on its way.
func (c child) deadly(s *shop, g *gin.Context) error {
	c.reach("before the transaction")
	ctx, answer := g.Request.Context(), created(g)
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := order(ctx, tx, "an order"); err != nil {
			return err
		}
		if err := idempotency.Complete(ctx, tx, answer); err != nil {
			return err
		}
		c.reach("in the transaction")
		return nil
	})
	if err != nil {
		return err
	}
	c.reach("after the commit")
	return answer(g.Writer)
}

func (c child) reach(moment string) {
	if c.Die == moment {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func TestOneEffectWhenProcessesAreKilled(t *testing.T) {
	crash(t, func(t *testing.T) string { return "sqlite://" + filepath.Join(t.TempDir(), "shop.db") })
}

func crash(t *testing.T, newURL func(t *testing.T) string) {
	t.Helper()
	for _, moment := range moments {
		t.Run("killed "+moment, func(t *testing.T) {
			url := newURL(t)
			db := openURL(t, url)
			dying, address := start(t, child{URL: url, Die: moment})
			if answer, err := send(t, address, "k"); err == nil {
				t.Fatalf("a killed service answered %s", answer)
			}
			if err := dying.Wait(); err == nil || dying.ProcessState.ExitCode() != -1 {
				t.Fatalf("the service ended by itself: %v", err)
			}
			_, address = start(t, child{URL: url})
			var first string
			eventually(t, "a repetition succeeds", func() bool {
				answer, err := send(t, address, "k")
				if err != nil {
					t.Fatal(err)
				}
				first = answer
				return strings.HasPrefix(answer, "201 ")
			})
			if replayed := strings.Contains(first, "replayed"); replayed != (moment == "after the commit") {
				t.Errorf("the repetition's answer is %s", first)
			}
			again, err := send(t, address, "k")
			if err != nil || strings.TrimSuffix(first, " replayed")+" replayed" != again {
				t.Errorf("answers %s and then %s, %v", first, again, err)
			}
			if n, err := db.NewSelect().Table("orders").Count(t.Context()); err != nil || n != 1 {
				t.Errorf("%d orders and %v, want 1", n, err)
			}
		})
	}
}

// start runs a service and gives its address.
func start(t *testing.T, c child) (*exec.Cmd, string) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, _, err := net.SplitHostPort(lines.Text()); err == nil {
			return cmd, lines.Text()
		}
		t.Log(lines.Text())
	}
	t.Fatal("the service does not start")
	return nil, ""
}

// send posts an order and gives status, body and whether it is an answer of before, or an error when there is no answer.
func send(t *testing.T, address, key string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v1/shops/a/orders", strings.NewReader(`{"name":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer ada"}, "Idempotency-Key": {key}}
	// No connection is kept, as otherwise net/http itself would repeat a request with this header.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text := fmt.Sprintf("%d %s", answer.StatusCode, strings.TrimSpace(read(t, answer.Body)))
	if answer.Header.Get("Idempotency-Replayed") == "true" {
		text += " replayed"
	}
	return text, nil
}
