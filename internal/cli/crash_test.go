package cli_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/test/soak"
)

// TestKilledSyncLeavesAllOrNothing kills scaffold, and all processes of its group, at random moments of a sync of 20 services.
func TestKilledSyncLeavesAllOrNothing(t *testing.T) {
	t.Parallel()
	dir := platform(t)
	mustRun(t, scaffold(t, dir, "new", "service0", "--resource", "thing"))
	for i := 1; i < 20; i++ {
		copyService(t, dir, "service0", "service"+strconv.Itoa(i))
	}
	mustRun(t, scaffold(t, dir, "sync"))
	for i := range 20 {
		file := filepath.Join(dir, "services", "service"+strconv.Itoa(i), "service.yaml")
		declared, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(declared, "database: {kind: postgres}\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := t.TempDir()
	if err := os.CopyFS(before, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	mustRun(t, scaffold(t, dir, "sync"))
	whole := time.Since(began)
	old, synced := fingerprint(t, before), fingerprint(t, dir)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var olds int
	for round := range soak.Rounds(t, 3) {
		dir := filepath.Join(t.TempDir(), "platform")
		if err := os.CopyFS(dir, os.DirFS(before)); err != nil {
			t.Fatal(err)
		}
		killAfter(t, dir, time.Duration(random.Int64N(int64(whole))))
		// Opening the platform finishes or discards what was interrupted.
		check := scaffold(t, dir, "check")
		if out, err := check.CombinedOutput(); check.ProcessState.ExitCode() != 0 && check.ProcessState.ExitCode() != 4 {
			t.Fatalf("round %d: check: %v\n%s", round, err, out)
		}
		switch now := fingerprint(t, dir); now {
		case old:
			olds++
		case synced:
		default:
			t.Fatalf("round %d: neither old (-) nor new (+):\n%s\n%s", round, cmp.Diff(old, now), cmp.Diff(synced, now))
		}
		mustRun(t, scaffold(t, dir, "sync"))
		if diff := cmp.Diff(synced, fingerprint(t, dir)); diff != "" {
			t.Fatalf("round %d: the next sync (-want +got):\n%s", round, diff)
		}
	}
	t.Logf("%d of %d rounds left the old tree", olds, soak.Rounds(t, 3))
}

// copyService declares a service like another.
func copyService(t *testing.T, dir, from, to string) {
	t.Helper()
	for _, name := range []string{"service.yaml", "api/openapi.yaml"} {
		content, err := os.ReadFile(filepath.Join(dir, "services", from, name))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "services", to, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, bytes.ReplaceAll(content, []byte(from), []byte(to)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter starts a sync and kills it.
func killAfter(t *testing.T, dir string, moment time.Duration) {
	t.Helper()
	cmd := scaffold(t, dir, "sync")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-time.After(moment)
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
}

// fingerprint is every file of the platform with its hash, but for what scaffold keeps for itself.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if name == ".trellis" {
				return fs.SkipDir
			}
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		lines = append(lines, fmt.Sprintf("%s %x", name, sha256.Sum256(content)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
