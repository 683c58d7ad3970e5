// Command bench measures the promises that have a number, in one run on one machine, and prints them beside their budgets:
// the scaffolder's times, and a generated service against bare Gin, go-zero and Kratos. See README.md for the settings.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/trellis-mesh/trellis/bench/proc"
)

// options are the command line.
type options struct {
	root        string
	json        bool
	strict      bool
	only        string
	runs        int
	starts      int
	rounds      int
	connections int
	duration    time.Duration
	profile     string
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.root, "root", "..", "root of the platform to measure")
	flag.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	flag.BoolVar(&o.strict, "strict", false, "exit with 1 when a budget is exceeded")
	flag.StringVar(&o.only, "only", "desk,fleet,service", "parts to run: desk (new, check), fleet (sync of 50 and 500), service (against the others)")
	flag.IntVar(&o.runs, "runs", 20, "runs of a scaffolder command; the median counts")
	flag.IntVar(&o.starts, "starts", 10, "starts of a server; the median counts")
	flag.IntVar(&o.rounds, "rounds", 9, "rounds of load; each loads every server once")
	flag.IntVar(&o.connections, "connections", 32, "keep-alive connections of the load generator")
	flag.DurationVar(&o.duration, "duration", 2*time.Second, "load on one server in one round")
	flag.StringVar(&o.profile, "profile", "", "file for a processor profile of the generated service under one more round of load")
	flag.Parse()
	return o
}

func main() {
	proc.Launch()
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, parseOptions()); err != nil {
		log.Fatal(err)
	}
}

// errBudget is the result of a strict run that exceeds a budget.
var errBudget = errors.New("a budget is exceeded")

func run(ctx context.Context, o options) error {
	scratch, err := newScratch(ctx, o.root)
	if err != nil {
		return err
	}
	defer scratch.remove()

	result := newReport()
	parts := map[string]func(context.Context, options, *scratchTree, *report) error{
		"desk": measureDesk, "fleet": measureFleet, "service": measureService,
	}
	var failures []error // a part that fails does not take the others' figures with it
	for _, name := range []string{"desk", "fleet", "service"} {
		if !strings.Contains(","+o.only+",", ","+name+",") {
			continue
		}
		if err := parts[name](ctx, o, scratch, result); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", name, err))
		}
	}
	failures = append(failures, result.print(os.Stdout, o.json))
	if err := errors.Join(failures...); err != nil {
		return err
	}
	if o.strict && !result.pass() {
		return errBudget
	}
	return nil
}
