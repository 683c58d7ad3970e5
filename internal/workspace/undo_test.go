package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/test/soak"
)

func TestUndoRestoresContentModeAndTime(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", smallService("1")...)
	long := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	const name = "services/a/deploy/workload.yaml"
	if err := errors.Join(os.Chmod(p.path(name), 0o640), os.Chtimes(p.path(name), long, long)); err != nil {
		t.Fatal(err)
	}
	before := p.tree()
	p.apply("services/a", smallService("2")...)
	undone := p.undo()
	if after := p.tree(); after != before {
		t.Errorf("after undo:\n%s\nwant\n%s", after, before)
	}
	info, err := os.Stat(p.path(name))
	if err != nil || !info.ModTime().Equal(long) {
		t.Errorf("changed at %v, want %v (%v)", info.ModTime(), long, err)
	}
	if undone.Command != meta.Command || undone.Plan.Count(plan.Update) != 2 || len(undone.Plan.Actions) != 2 {
		t.Errorf("undone %q: %s", undone.Command, undone.Plan.Summary())
	}
}

func TestUndoTakesBackOneCommandAfterTheOther(t *testing.T) {
	p := newPlatform(t)
	trees := []string{p.tree()}
	for i := range 3 {
		p.apply("services/a", smallService(fmt.Sprint(i))...)
		trees = append(trees, p.tree())
	}
	for i := 2; i >= 0; i-- {
		p.undo()
		if got := p.tree(); got != trees[i] {
			t.Fatalf("after undoing command %d:\n%s\nwant\n%s", i+1, got, trees[i])
		}
	}
	if _, err := p.ws.Undo(context.Background()); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("nothing left: error %v", err)
	}
	p.noLeftovers()
}

func TestUndoRefusesWhereAPersonChangedSomethingSince(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", owned("services/a/changed", "1\n"), owned("services/a/gone", "1\n"), owned("services/a/deleted", "1\n"), owned("services/a/same", "1\n"))
	p.apply("services/a", owned("services/a/changed", "2\n"), owned("services/a/gone", "2\n"), owned("services/a/same", "2\n"), owned("services/a/new", "2\n"))
	p.write("services/a/changed", "mine\n")
	p.write("services/a/deleted", "mine\n")
	p.remove("services/a/gone")
	p.remove("services/a/new") // what was new and is gone already is no loss
	before := p.tree()
	_, err := p.ws.Undo(context.Background())
	var refused *RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("error %v, want a refusal", err)
	}
	for _, says := range []string{"services/a/changed was changed", "services/a/deleted was written again", "services/a/gone was deleted"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("error %q does not say %q", err, says)
		}
	}
	if len(refused.Problems) != 3 {
		t.Errorf("%d problems, want 3: %v", len(refused.Problems), err)
	}
	if after := p.tree(); after != before {
		t.Errorf("the tree changed to\n%s", after)
	}
}

func TestUndoLeavesFilesThatAPersonAdded(t *testing.T) {
	p := newPlatform(t)
	p.apply(greeter, service("greeter", "1")...)
	p.write(greeter+"/d1/notes.md", "mine\n")
	p.undo()
	if got := p.read(greeter + "/d1/notes.md"); got != "mine\n" {
		t.Errorf("my file is %q", got)
	}
	for _, gone := range []string{greeter + "/d0", greeter + "/main.go", greeter + "/" + stateFolder, "contracts"} {
		if _, err := os.Stat(p.path(gone)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there (%v)", gone, err)
		}
	}
}

func TestPlanUndoChangesNothing(t *testing.T) {
	p := newPlatform(t)
	if _, err := p.ws.PlanUndo(); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("before any command: %v", err)
	}
	p.apply("services/a", smallService("1")...)
	before := p.tree()
	undone, err := p.ws.PlanUndo()
	if err != nil || undone.Plan.Count(plan.Delete) != 3 {
		t.Errorf("%v, %v; want three deletions", undone, err)
	}
	if p.tree() != before {
		t.Error("the tree changed")
	}
}

func TestOnlyTheLastTwentyCommandsAreKept(t *testing.T) {
	p := newPlatform(t)
	for i := range keepRecords + 3 {
		p.apply("services/a", owned("services/a/f", fmt.Sprintf("%d\n", i)))
	}
	numbers, err := p.ws.recordNumbers()
	if err != nil || len(numbers) != keepRecords || numbers[0] != 4 {
		t.Errorf("records %v, %v; want the last %d", numbers, err, keepRecords)
	}
	p.undo()
	if got := p.read("services/a/f"); got != fmt.Sprintf("%d\n", keepRecords+1) {
		t.Errorf("after undo: %q", got)
	}
}

// A random history of commands and of undoing them ends where it began.
func TestUndoingARandomHistory(t *testing.T) {
	rng := soak.Rand(t)
	for range 10 {
		p := newPlatform(t)
		trees := []string{p.tree()}
		for i := range 6 {
			var files []plan.File
			for j := range 8 {
				name := fmt.Sprintf("services/a/d%d/f%d", j%3, j)
				switch rng.IntN(4) {
				case 0:
					files = append(files, owned(name, fmt.Sprintf("%d\n", rng.IntN(3))))
				case 1:
					files = append(files, merged(name, fmt.Sprintf("%d\n", rng.IntN(3))))
				case 2:
					files = append(files, owned(fmt.Sprintf("contracts/%d/f", j), fmt.Sprintf("%d\n", i)))
				}
			}
			built := p.apply("services/a", files...)
			if len(built.Actions) == 0 {
				break
			}
			if tree := p.tree(); tree != trees[len(trees)-1] {
				trees = append(trees, tree)
			}
		}
		for i := len(trees) - 2; i >= 0; i-- {
			p.undo()
			if diff := cmp.Diff(strings.Split(trees[i], "\n"), strings.Split(p.tree(), "\n")); diff != "" {
				t.Fatalf("undone to command %d (-want +got):\n%s", i, diff)
			}
		}
		p.close()
	}
}

func TestUndoKeepsEditedFilesWhenAskedTo(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", owned("services/a/changed", "1\n"), owned("services/a/gone", "1\n"), owned("services/a/same", "1\n"))
	p.apply("services/a", owned("services/a/changed", "2\n"), owned("services/a/gone", "2\n"), owned("services/a/same", "2\n"), owned("services/a/new/f", "2\n"))
	p.write("services/a/changed", "mine\n")
	p.remove("services/a/gone")
	planned, err := p.ws.PlanUndo(KeepEdited)
	if err != nil {
		t.Fatal(err)
	}
	undone, err := p.ws.Undo(context.Background(), KeepEdited)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(planned, undone); diff != "" {
		t.Errorf("planned, not done (-planned +done):\n%s", diff)
	}
	if got, want := undone.Plan.Summary(), "update 1, delete 1, keep 1, skip 1"; got != want {
		t.Errorf("undone: %s, want %s", got, want)
	}
	if p.read("services/a/changed") != "mine\n" || p.read("services/a/same") != "1\n" {
		t.Errorf("the tree is\n%s", p.tree())
	}
	for _, gone := range []string{"services/a/gone", "services/a/new"} {
		if _, err := os.Stat(p.path(gone)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there (%v)", gone, err)
		}
	}
	if commands, err := p.ws.Commands(); err != nil || len(commands) != 1 {
		t.Errorf("commands left: %v, %v; want the first", commands, err)
	}
}

func TestUndoOfOnlyEditedFilesUsesTheCommandUp(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", owned("services/a/f", "1\n"))
	p.write("services/a/f", "mine\n")
	p.remove("services/a/" + stateFolder + "/state.json")
	if _, err := p.ws.Undo(context.Background(), KeepEdited); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ws.Undo(context.Background()); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("error %v, want nothing to undo", err)
	}
}

func TestUndoGoesFurtherBackOnlyWhenAskedTo(t *testing.T) {
	ctx := context.Background()
	p := newPlatform(t)
	p.apply("services/a", smallService("1")...)
	p.apply("services/a", smallService("2")...)
	if _, err := p.ws.Undo(ctx); err != nil {
		t.Fatal(err)
	}
	before := p.tree()
	var further *FurtherBackError
	if _, err := p.ws.Undo(ctx); !errors.As(err, &further) || further.Command != meta.Command {
		t.Fatalf("the second undo: error %v, want a refusal that names the command", err)
	}
	if _, err := p.ws.PlanUndo(); !errors.As(err, &further) {
		t.Errorf("the plan of it: error %v", err)
	}
	if p.tree() != before {
		t.Error("the tree changed")
	}

	// A new command can be taken back, and nothing before it.
	p.apply("services/a", smallService("3")...)
	if _, err := p.ws.Undo(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ws.Undo(ctx); !errors.As(err, &further) {
		t.Errorf("after the new command: error %v", err)
	}
	commands, err := p.ws.Commands()
	if err != nil || len(commands) != 1 || !commands[0].Older || len(commands[0].Files) != 3 {
		t.Errorf("commands %+v, %v", commands, err)
	}
	if _, err := p.ws.Undo(ctx, Again); err != nil {
		t.Error(err)
	}
}
