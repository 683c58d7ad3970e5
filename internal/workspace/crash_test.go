package workspace

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/test/soak"
)

const (
	syncArg   = "sync-for-the-crash-test"
	fleetSize = 20
)

// syncMain makes the test program a command that writes the whole fleet in a version.
func syncMain(args []string) (handled bool) {
	if len(args) != 3 || args[0] != syncArg {
		return false
	}
	if err := syncFleet(args[1], args[2], func() { fmt.Println("planned") }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func syncFleet(root, version string, planned func()) error {
	w, err := Open(root)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	joined, err := planFleet(w, version)
	if err != nil {
		return err
	}
	planned()
	return w.Apply(context.Background(), joined, Meta{Command: "scaffold sync", TemplateVersion: version})
}

func planFleet(w *Workspace, version string) (*plan.Plan, error) {
	var plans []*plan.Plan
	for i := range fleetSize {
		name := fmt.Sprintf("s%d", i)
		files := service(name, version)
		files = append(files, owned(fmt.Sprintf("services/%s/only-in-%s/f.go", name, version), version+"\n"))
		state, err := w.State("services/" + name)
		if err != nil {
			return nil, err
		}
		p, err := plan.Build(state.Files, w, files, plan.Options{Owner: "services/" + name, Version: version})
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	return plan.Join(plans...)
}

func TestKillingASyncLeavesTheTreeBeforeOrAfter(t *testing.T) {
	rng := soak.Rand(t)
	p, reference := newPlatform(t), newPlatform(t)
	start := time.Now()
	for _, root := range []string{p.root, reference.root} {
		if err := syncFleet(root, "0", func() {}); err != nil {
			t.Fatal(err)
		}
	}
	usual := time.Since(start) / 2
	before := p.tree()
	counts := map[string]int{}
	kills := soak.Rounds(t, 6)
	for i := 1; i <= kills; i++ {
		version := fmt.Sprint(i)
		if err := syncFleet(reference.root, version, func() {}); err != nil {
			t.Fatal(err)
		}
		after := reference.tree()

		k := kill{group: i%2 == 0, committing: i%4 < 2, wait: time.Duration(rng.Int64N(int64(usual)))}
		if k.committing {
			k.wait /= 20
		}
		k.sync(t, p.root, version)
		awaitLock(t, p.root)
		switch p.tree() {
		case before:
			counts["before"]++
		case after:
			counts["after"]++
		default:
			t.Fatalf("kill %d, %+v: neither before nor after", i, k)
		}
		if err := syncFleet(p.root, version, func() {}); err != nil {
			t.Fatalf("kill %d, %+v: the next sync: %v", i, k, err)
		}
		if p.tree() != after {
			t.Fatalf("kill %d, %+v: the next sync did not finish the work", i, k)
		}
		p.noLeftovers()
		before = after
	}
	t.Logf("%d kills within %v: %v", kills, usual, counts)
}

// A kill ends a sync by SIGKILL.
type kill struct {
	group      bool          // its process group too
	committing bool          // from the moment of the commit on, else from the moment it has planned on
	wait       time.Duration // this much later
}

// sync starts a sync in a process group of its own, and kills it.
func (k kill) sync(t *testing.T, root, version string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], syncArg, root, version)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	for deadline := time.Now().Add(time.Minute); k.committing && !marked(root, version, pid); {
		if time.Now().After(deadline) {
			t.Fatal("the sync did not get to its commit within a minute")
		}
	}
	<-time.After(k.wait) // the random moment is what is tested
	if k.group {
		pid = -pid
	}
	_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	_ = cmd.Wait()
}

// marked reports whether a process has got to its commit, or past it.
func marked(root, version string, pid int) bool {
	folder := filepath.Join(root, transactions, strconv.Itoa(pid))
	if _, err := os.Stat(filepath.Join(folder, committed)); err == nil {
		return true
	}
	_, err := os.Stat(filepath.Join(root, "services/s0/only-in-"+version))
	return err == nil
}

// awaitLock waits until no committer is at work any more.
func awaitLock(t *testing.T, root string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(root, lockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

// A committer that is itself killed is what a power failure is to the command.
func TestKillingTheCommitterLeavesTheTreeToTheNextCommand(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", smallService("1")...)
	if err := p.ws.settle(); err != nil {
		t.Fatal(err)
	}
	lock, err := p.ws.lock(context.Background(), "test", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	c, err := startCommitter(p.root, lock)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	built := p.plan("services/a", smallService("2")...)
	req := &request{doing: "apply the plan", command: "scaffold sync", changes: fileChanges(built), removable: func(string) bool { return false }}
	if err := p.ws.admit(req); err != nil {
		t.Fatal(err)
	}
	l, err := p.ws.arrange(req.changes, req.removable)
	if err != nil {
		t.Fatal(err)
	}
	tx := &transaction{w: p.ws, req: req, layout: l, files: l.files, folder: transactions + "/1"}
	tx.j = journal{Version: journalVersion, Command: req.command, Steps: l.steps}
	if err := tx.stage(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := tx.commit(c); err != nil {
		t.Fatal(err)
	}
	if got := p.read("services/a/deploy/workload.yaml"); got != "version: 2\n" {
		t.Errorf("workload.yaml is %q", got)
	}
	p.noLeftovers()
}
