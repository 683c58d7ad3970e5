// Command proofs runs go test and prints what it prints. At the end it checks that every test which the catalogue of patterns,
// docs/patterns/README.md, names as a proof ran and passed: a test that was skipped, renamed or left out proves nothing.
//
//	go run ./test/proofs go test -race ./chassis/...
//
// It looks only at proofs that make verify runs. Its exit status is that of go test, or 1 when only a proof is missing.
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

// run runs the command, which is a go test, in the platform's root.
func run(command []string, stdout, stderr io.Writer) (int, error) {
	at := slices.Index(command, "test")
	if at < 1 {
		return 2, errors.New("no go test to run: use it as in go run ./test/proofs go test ./chassis/outbox")
	}
	catalogue, err := pattern.Read(os.DirFS("."))
	if err != nil {
		return 1, err
	}
	module, err := os.ReadFile("go.mod")
	if err != nil {
		return 1, fmt.Errorf("read the module's path: %w", err)
	}
	code, results, err := watch(slices.Insert(slices.Clone(command), at+1, "-json"), stdout, stderr)
	if err != nil {
		return max(code, 1), err
	}
	return conclude(code, missing(catalogue, modfile.ModulePath(module), results), stdout)
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
