package real

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"
)

// Program is a program that a test runs, and that listens where its arguments or its configuration say.
type Program struct {
	Name, Path string
	Args, Env  []string
	Ready      string // URL that answers 200 when it is ready
}

// Run runs a program for this test alone, and waits until it is ready.
func Run(t testing.TB, p Program) {
	t.Helper()
	dir, err := folder(p.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	running, err := start(dir, p.Env, nil, p.Path, p.Args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.kill)
	if err := running.await(2*time.Minute, func(ctx context.Context) error { return answers(ctx, p.Ready) }); err != nil {
		t.Fatal(err)
	}
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
