// Command proofs runs go test and prints what it prints. At the end it checks that every test which the catalogue of patterns,
// docs/patterns/README.md, names as a proof ran and passed: a test that was skipped, renamed or left out proves nothing.
//
//	go run ./test/proofs go test -race ./chassis/...
//	go run ./test/proofs go test -race ./... -- go test -race -tags real
//	go run ./test/proofs go test -race ./chassis/... -- go test ./internal/... -- go test -race -tags real
//	go run ./test/proofs -unchecked go test -race ./...
//
// What comes after -- is another go test. When it has build tags, it is of those tests alone that these bring; with the same flags, go
// test takes what it knows of the others from its cache. With -unchecked nothing is checked: the tests run as they do for a check, so that
// this check, later, can take them from the cache.
//
// It looks only at proofs that make verify runs. Its exit status is that of the first go test that failed, or 1 when only a proof
// is missing.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"

	"golang.org/x/mod/modfile"

	"github.com/trellis-mesh/trellis/test/pattern"
)

func main() {
	code, err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "proofs:", err)
	}
	os.Exit(code)
}

const (
	unchecked = "-unchecked"
	then      = "--"
)

// run runs the commands, each of which is a go test, in the platform's root.
func run(args []string, stdout, stderr io.Writer) (int, error) {
	checked := len(args) == 0 || args[0] != unchecked
	if !checked {
		args = args[1:]
	}
	commands, err := split(args)
	if err != nil {
		return 2, err
	}
	var catalogue pattern.Catalogue
	var module []byte
	if checked { // before anything runs
		if catalogue, err = pattern.Read(os.DirFS(".")); err != nil {
			return 1, err
		}
		if module, err = os.ReadFile("go.mod"); err != nil {
			return 1, fmt.Errorf("read the module's path: %w", err)
		}
	}
	code, all := 0, results{}
	for _, command := range commands {
		exit, got, err := watch(command, stdout, stderr)
		if err != nil {
			return max(exit, 1), err
		}
		all.add(got)
		if code == 0 {
			code = exit
		}
	}
	if !checked {
		return code, nil
	}
	return conclude(code, missing(catalogue, modfile.ModulePath(module), all), stdout)
}

// split gives the go tests between the --, each ready to be run.
func split(args []string) ([][]string, error) {
	var commands [][]string
	for rest, more := args, true; more; {
		var command []string
		at := slices.Index(rest, then)
		if more = at >= 0; more {
			command, rest = rest[:at], rest[at+1:]
		} else {
			command = rest
		}
		if len(commands) > 0 && len(tagsOf(command)) > 0 {
			var err error
			if command, err = brought(os.DirFS("."), command); err != nil {
				return nil, err
			}
		}
		commands = append(commands, command)
	}
	for i, command := range commands {
		at := slices.Index(command, "test")
		if at < 1 {
			return nil, errors.New("no go test to run: use it as in go run ./test/proofs go test ./chassis/outbox")
		}
		commands[i] = slices.Insert(slices.Clone(command), at+1, "-json")
	}
	return commands, nil
}

// watch runs go test -json and prints its output as go test alone would.
func watch(command []string, stdout, stderr io.Writer) (int, results, error) {
	// An interrupt reaches go test, too, which ends then; what it still says is to be seen.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)

	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return 1, nil, err
	}
	if err := cmd.Start(); err != nil {
		return 1, nil, fmt.Errorf("run go test: %w", err)
	}
	got, readErr := show(events, stdout)
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return 1, got, fmt.Errorf("run go test: %w", err)
	}
	code := cmd.ProcessState.ExitCode()
	if code < 0 {
		code = 1 // ended by a signal
	}
	return code, got, readErr
}

// missing are the proofs that make verify runs and that did not pass, a sentence each.
func missing(catalogue pattern.Catalogue, module string, got results) []string {
	var all []string
	for _, row := range catalogue.Shown {
		for _, proof := range row.Proofs {
			if proof.By != pattern.Verify {
				continue
			}
			if what := got.of(module+"/"+proof.Package, proof.ID()); what != passed {
				all = append(all, fmt.Sprintf("%s is not proven: %s %s", row, proof, what))
			}
		}
	}
	return all
}

func conclude(code int, missing []string, stdout io.Writer) (int, error) {
	for _, sentence := range missing {
		_, _ = fmt.Fprintln(stdout, sentence)
	}
	switch {
	case len(missing) == 0:
		return code, nil
	case code != 0:
		return code, fmt.Errorf("%d proofs of %s are missing", len(missing), pattern.File)
	}
	return 1, fmt.Errorf("all tests passed, but %d proofs of %s are missing: let them run, or name the tests that prove it",
		len(missing), pattern.File)
}
