package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// mutant is a small change that makes a mechanism wrong.
type mutant struct {
	mechanism string
	change    string // what is wrong with it, in a few words
	edits     []edit
	tests     []tests
}

// edit replaces text that stands in a file exactly once.
type edit struct{ file, old, new string }

// tests are some of a package, as go test -run takes them. One of them must notice.
type tests struct{ pkg, run string }

func (t tests) String() string { return t.pkg + " " + t.run }

// timeout is how long the tests of one mutant may take: one that hangs is noticed as well.
const timeout = 3 * time.Minute

// lab tries mutants.
type lab struct {
	root  string
	dir   string           // for files of its own
	sound map[string]error // by tests: whether they pass as they should without a mutant
}

// try gives a mutant to its tests, until one fails.
func (l *lab) try(ctx context.Context, m mutant) result {
	r := result{Mechanism: m.mechanism, Change: m.change, Verdict: survived}
	for _, e := range m.edits {
		r.File = strings.Join(slices.Compact(append(strings.Fields(r.File), e.file)), " ")
	}
	fail := func(err error) result {
		r.Verdict, r.Error = broken, err.Error()
		return r
	}
	overlay, err := l.overlay(m.edits)
	if err != nil {
		return fail(err)
	}
	for _, t := range m.tests {
		if err := l.passes(ctx, t); err != nil {
			return fail(err)
		}
		outcome, err := l.test(ctx, t, "-overlay="+overlay)
		if err != nil {
			return fail(err)
		}
		if len(outcome.failed) > 0 {
			r.Verdict, r.By = killed, outcome.named(t.pkg)
			return r
		}
	}
	return r
}

// passes is an error unless the tests run and pass without a mutant.
func (l *lab) passes(ctx context.Context, t tests) error {
	err, known := l.sound[t.String()]
	if known {
		return err
	}
	outcome, err := l.test(ctx, t)
	switch {
	case err != nil:
	case len(outcome.failed) > 0:
		err = fmt.Errorf("%s fails without the mutant: %s", t, strings.Join(outcome.failed, ", "))
	case outcome.passed == 0:
		err = fmt.Errorf("%s is no test that runs", t)
	}
	l.sound[t.String()] = err
	return err
}

// overlay writes the edited files and a list of what they replace, and gives the path of that.
func (l *lab) overlay(edits []edit) (string, error) {
	texts := map[string]string{}
	for _, e := range edits {
		text, ok := texts[e.file]
		if !ok {
			read, err := os.ReadFile(filepath.Join(l.root, filepath.FromSlash(e.file)))
			if err != nil {
				return "", fmt.Errorf("the mutant does not fit: %w", err)
			}
			text = string(read)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return "", fmt.Errorf("the mutant does not fit: %s has %d times, and must have once: %q", e.file, n, e.old)
		}
		if e.old == e.new {
			return "", fmt.Errorf("the mutant changes nothing in %s", e.file)
		}
		texts[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	replace := map[string]string{}
	for name, text := range texts {
		// A name of its own, lest a file of an earlier mutant is taken for it.
		file, err := os.CreateTemp(l.dir, "*-"+filepath.Base(name))
		if err != nil {
			return "", err
		}
		_, err = file.WriteString(text)
		if err := errors.Join(err, file.Close()); err != nil {
			return "", err
		}
		real, err := filepath.Abs(filepath.Join(l.root, filepath.FromSlash(name)))
		if err != nil {
			return "", err
		}
		replace[real] = file.Name()
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(l.dir, "overlay-*.json")
	if err != nil {
		return "", err
	}
	_, err = file.Write(data)
	return file.Name(), errors.Join(err, file.Close())
}

// outcome is what a go test told.
type outcome struct {
	passed int
	failed []string // the innermost tests, or "the whole package" when it ended without telling
}

// named gives the first few, with their package.
func (o outcome) named(pkg string) []string {
	names := []string{}
	for _, name := range o.failed[:min(3, len(o.failed))] {
		names = append(names, pkg+" "+name)
	}
	if more := len(o.failed) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return names
}

// test runs go test. Its error means that nothing can be told from it: it was interrupted, or the code does not compile.
func (l *lab) test(ctx context.Context, t tests, flags ...string) (outcome, error) {
	args := slices.Concat([]string{"test", "-json", "-vet=off", "-tags", "real", "-timeout", timeout.String(), "-run", t.run}, flags, []string{"./" + t.pkg})
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = l.root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if ctx.Err() != nil {
		return outcome{}, ctx.Err()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return outcome{}, fmt.Errorf("run go test: %w", err)
	}
	return read(output, stderr.String(), err != nil)
}

// event is a line of go test -json.
type event struct {
	Action      string
	Test        string
	Output      string
	FailedBuild string
}

// read makes an outcome of what go test -json printed.
func read(output []byte, stderr string, failed bool) (outcome, error) {
	var got outcome
	var build strings.Builder
	broken := false
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // what the tests themselves print past the testing package
		}
		switch {
		case e.Action == "build-output":
			build.WriteString(e.Output)
		case e.Action == "build-fail", e.FailedBuild != "":
			broken = true
		case e.Action == "pass" && e.Test != "":
			got.passed++
		case e.Action == "fail" && e.Test != "":
			got.failed = append(got.failed, e.Test)
		}
	}
	if err := lines.Err(); err != nil {
		return got, fmt.Errorf("read what go test printed: %w", err)
	}
	if broken {
		return got, fmt.Errorf("it does not compile: %s", firstLines(build.String()+stderr))
	}
	got.failed = innermost(got.failed)
	if failed && len(got.failed) == 0 {
		if len(output) == 0 {
			return got, fmt.Errorf("go test did not run: %s", firstLines(stderr))
		}
		got.failed = []string{"the whole package"} // a panic outside of a test, or a test that hangs
	}
	return got, nil
}

// innermost leaves out the tests of which a subtest is among the names.
func innermost(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(names, func(other string) bool { return strings.HasPrefix(other, name+"/") })
	})
}

func firstLines(text string) string {
	lines := strings.SplitN(strings.TrimSpace(text), "\n", 4)
	return strings.Join(lines[:min(3, len(lines))], "; ")
}
