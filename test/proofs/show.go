package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// event is a line of go test -json: see go doc test2json.
type event struct {
	Action, Package, Test, Output string
}

// verdict is what became of a test, as the end of a sentence about it.
type verdict string

const (
	passed  verdict = "passed"
	failed  verdict = "failed"
	skipped verdict = "was skipped"
	absent  verdict = "did not run: its package was not among those that were tested, or there is no such test in it"
)

// results are the verdicts of all tests by package and name.
type results map[[2]string]verdict

// add takes over what another run has found. What failed once has failed.
func (r results) add(more results) {
	for name, got := range more {
		if r[name] != failed {
			r[name] = got
		}
	}
}

// of is the verdict of one test. One that passed without a single subtest that did has skipped them all.
func (r results) of(pkg, test string) verdict {
	got, ran := r[[2]string{pkg, test}]
	if !ran {
		return absent
	}
	if got == passed && r.onlySkipped(pkg, test+"/") {
		return "passed, but all its subtests were skipped"
	}
	return got
}

func (r results) onlySkipped(pkg, prefix string) bool {
	some := false
	for key, got := range r {
		if key[0] == pkg && strings.HasPrefix(key[1], prefix) {
			if got != skipped {
				return false
			}
			some = true
		}
	}
	return some
}

// show prints what go test would: a line for a package that passes, and all that a failed one and its failed tests said.
func show(events io.Reader, out io.Writer) (results, error) {
	got := results{}
	pending := map[string][]event{} // output of packages that are not done
	broken := false
	lines := bufio.NewReader(events) // a Scanner would stop at a long line
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			broken = step(line, got, pending, out) || broken
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return got, fmt.Errorf("read what go test says: %w", err)
		}
	}
	for pkg := range pending { // of a go test that was killed
		write(pending[pkg], got, false, out)
	}
	if broken {
		_, _ = fmt.Fprintln(out, "FAIL")
	}
	return got, nil
}

// step takes one line, and tells whether it is the end of a package that failed.
func step(line []byte, got results, pending map[string][]event, out io.Writer) (broken bool) {
	var e event
	if json.Unmarshal(line, &e) != nil || e.Action == "" {
		_, _ = out.Write(line) // what go itself has to say
		return false
	}
	switch e.Action {
	case "build-output":
		_, _ = io.WriteString(out, e.Output)
	case "output":
		pending[e.Package] = append(pending[e.Package], e)
	case "pass", "fail", "skip":
		if e.Test != "" {
			got[[2]string{e.Package, e.Test}] = map[string]verdict{"pass": passed, "fail": failed, "skip": skipped}[e.Action]
			return false
		}
		write(pending[e.Package], got, e.Action != "fail", out)
		delete(pending, e.Package)
		return e.Action == "fail"
	}
	return false
}

// write writes the output of a package: its summary, and when it failed what was said by tests that did not end well.
func write(output []event, got results, well bool, out io.Writer) {
	for _, e := range output {
		summary := strings.HasPrefix(e.Output, "ok  \t") || strings.HasPrefix(e.Output, "?   \t")
		switch {
		case well && (e.Test != "" || !summary):
		case strings.HasPrefix(e.Output, "=== "):
		case e.Test != "" && (got[[2]string{e.Package, e.Test}] == passed || got[[2]string{e.Package, e.Test}] == skipped):
		default:
			_, _ = io.WriteString(out, e.Output)
		}
	}
}
