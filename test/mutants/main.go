// Command mutants breaks the platform on purpose, in one small way after the other, and checks that a test notices each time.
// A mutant that all its tests pass survives: it shows a test that is missing.
//
//	go run ./test/mutants                # all; make mutants
//	go run ./test/mutants --run saga     # those whose mechanism or change matches
//	go run ./test/mutants --json > mutants.json
//
// Nothing in the tree is touched: a mutant is given to go test by -overlay. A mutant is declared in list.go as text that is replaced
// by other text; it must be there exactly once, so that a mutant which no longer fits its file is an error and is not passed over.
// Some tests need the real servers that .ci/setup installs. What does not compile is an error too, and no kill; so are tests that do not run or that fail without the mutant.
//
// The exit status is 1 when a mutant survived or could not be tried, and 2 for a wrong command line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, ".", all, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	os.Exit(code)
}

// verdict is what became of a mutant.
type verdict string

const (
	killed   verdict = "killed"
	survived verdict = "survived"
	broken   verdict = "not tried" // it does not fit, does not compile, or its tests are not fit to tell
)

// result is a line of the report.
type result struct {
	Mechanism string   `json:"mechanism"`
	Change    string   `json:"change"`
	File      string   `json:"file"`
	Verdict   verdict  `json:"verdict"`
	By        []string `json:"by,omitempty"`    // the tests that noticed
	Error     string   `json:"error,omitempty"` // why it was not tried
	Seconds   float64  `json:"seconds"`
}

func run(ctx context.Context, root string, list []mutant, args []string, stdout, stderr io.Writer) (int, error) {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(stderr)
	pattern := flags.String("run", "", "try only the mutants whose mechanism or change matches this regular expression")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0, nil
	}
	wanted, badPattern := regexp.Compile(*pattern)
	if err != nil || badPattern != nil || flags.NArg() > 0 {
		return 2, errors.Join(badPattern, fmt.Errorf("the arguments are %q: see --help", args))
	}
	list = slices.DeleteFunc(slices.Clone(list), func(m mutant) bool { return !wanted.MatchString(m.mechanism + " " + m.change) })
	if len(list) == 0 {
		return 2, fmt.Errorf("no mutant matches %q", *pattern)
	}
	lab := &lab{root: root, sound: map[string]error{}}
	if lab.dir, err = os.MkdirTemp("", "trellis-mutants-"); err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(lab.dir) }()
	var results []result
	for _, m := range list {
		begun := time.Now()
		r := lab.try(ctx, m)
		if ctx.Err() != nil {
			return 1, errors.New("interrupted")
		}
		r.Seconds = float64(time.Since(begun).Milliseconds()) / 1000
		results = append(results, r)
		fmt.Fprintf(stderr, "%-9s %s: %s\n", r.Verdict, r.Mechanism, r.Change)
	}
	if *asJSON {
		err = writeJSON(stdout, results)
	} else {
		err = writeTable(stdout, results)
	}
	if slices.ContainsFunc(results, func(r result) bool { return r.Verdict != killed }) {
		return 1, err
	}
	return 0, err
}

func writeJSON(w io.Writer, results []result) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(results)
}

func writeTable(w io.Writer, results []result) error {
	var text strings.Builder
	text.WriteString("\n| mechanism | change | verdict | noticed by | seconds |\n|---|---|---|---|---|\n")
	count := map[verdict]int{}
	total := 0.0
	for _, r := range results {
		by := strings.Join(r.By, "<br>")
		if r.Error != "" {
			by = r.Error
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %.1f |\n", r.Mechanism, r.Change, r.Verdict, by, r.Seconds)
		count[r.Verdict]++
		total += r.Seconds
	}
	fmt.Fprintf(&text, "\n%d mutants: %d killed, %d survived, %d not tried, in %.0f s\n",
		len(results), count[killed], count[survived], count[broken], total)
	_, err := io.WriteString(w, text.String())
	return err
}
