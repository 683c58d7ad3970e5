// Command seed fills the running shop: products with stock, also in the monolith, users with cards, and orders, some of which will not be
// delivered or paid. The same seed makes the same shop; what is there already is left alone, so that it can be run again, and goes on
// where it was interrupted.
//
//	make up                     in another terminal
//	make seed                   (go run ./test/seed)
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/trellis-mesh/trellis/test/market"
)

const help = `Usage: go run ./test/seed [flags]        (make seed, make seed ARGS="-orders 100")

Fills a running shop with products, users and orders. It talks to the services as their clients do, and says at its end what it made,
what was there, and what failed; the exit status is 1 when something failed. Run it twice, and the second time changes nothing.

  go run ./test/seed                                  the shop of make up
  go run ./test/seed -orders 0 -users 10              a small one, without orders
  go run ./test/seed -seed 2                          other products, users and orders, beside the first ones
  go run ./test/seed -url https://trellis.localhost   the shop of make kind-up, through its gateway

Users log in with their e-mail address and the password that belongs to it: seed-1-0@shop.example has "not a secret: seed 1 0".
Next: make play, which has people shop there.

Flags:
`

type options struct {
	plan    market.Plan
	options market.Options
	url     string
	json    bool
}

func main() {
	var o options
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), help)
		flag.PrintDefaults()
	}
	flag.Uint64Var(&o.plan.Seed, "seed", 1, "which shop it becomes")
	flag.IntVar(&o.plan.Products, "products", 1000, "how many `products`, of which 1 in 25 is sold out")
	flag.IntVar(&o.plan.Users, "users", 200, "how many `users`, of whom 1 in 20 has a card that is declined")
	flag.IntVar(&o.plan.Orders, "orders", 2000, "how many `orders`")
	flag.IntVar(&o.options.Parallel, "parallel", 8, "how many `requests` at once")
	flag.DurationVar(&o.options.Settle, "settle", time.Minute, "how long to wait for the orders to be completed or cancelled")
	flag.StringVar(&o.url, "url", "", "the `address` of the local cluster's gateway, instead of the shop of make up")
	flag.BoolVar(&o.json, "json", false, "print the result as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (failed bool, err error) {
	if o.plan.Products < 1 || o.plan.Users < 1 || o.plan.Orders < 0 || o.options.Parallel < 1 {
		return false, fmt.Errorf("there must be a product, a user and a request at a time: see --help")
	}
	shop, err := open(ctx, o.url)
	if err != nil {
		return false, err
	}
	began := time.Now()
	o.options.Progress = &market.Progress{}
	ended := make(chan struct{})
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		follow(os.Stderr, term.IsTerminal(int(os.Stderr.Fd())), o.options.Progress, ended)
	}()
	filled, err := market.Fill(ctx, shop, o.plan, o.options)
	close(ended)
	<-shown
	if filled == nil {
		return false, err
	}
	if o.json {
		return filled.Failed() > 0, json.NewEncoder(os.Stdout).Encode(map[string]any{
			"report": filled.Report, "orders": filled.Outcomes, "seconds": time.Since(began).Seconds(),
		})
	}
	show(os.Stdout, filled, time.Since(began))
	return filled.Failed() > 0, err
}

func open(ctx context.Context, url string) (*market.Shop, error) {
	if url != "" {
		return market.Cluster(ctx, ".", url)
	}
	return market.Local(ctx, ".")
}

// follow shows how far it is: on a terminal in one line, else in a line every five seconds.
func follow(out io.Writer, tty bool, progress *market.Progress, ended <-chan struct{}) {
	every, format := 5*time.Second, "%s: %d of %d, %.0f a second\n"
	if tty {
		every, format = 200*time.Millisecond, "\r\x1b[K%s: %d of %d, %.0f a second"
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			if tty {
				fmt.Fprint(out, "\r\x1b[K")
			}
			return
		case <-tick.C:
			if name, done, of, rate := progress.Now(); name != "" {
				fmt.Fprintf(out, format, name, done, of, rate)
			}
		}
	}
}

func show(out io.Writer, filled *market.Filled, took time.Duration) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\tMADE\tTHERE\tFAILED\tTIME\tA SECOND")
	for _, c := range filled.Report {
		if c.Note != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", c.Kind, c.Note)
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%.0f\n", c.Kind, c.Created, c.Kept, c.Failed, c.Took.Round(100*time.Millisecond),
			float64(c.Created+c.Kept+c.Failed)/max(c.Took.Seconds(), 0.001))
	}
	_ = w.Flush() // it goes to a terminal or a file
	var outcomes []string
	for _, status := range slices.Sorted(maps.Keys(filled.Outcomes)) {
		outcomes = append(outcomes, fmt.Sprintf("%d %s", filled.Outcomes[status], status))
	}
	if outcomes != nil {
		_, _ = fmt.Fprintf(out, "\nThe orders: %s.\n", strings.Join(outcomes, ", "))
	}
	for _, c := range filled.Report {
		for _, text := range c.Errors {
			_, _ = fmt.Fprintf(out, "%s: %s\n", c.Kind, strings.TrimSpace(text))
		}
	}
	_, _ = fmt.Fprintf(out, "Done in %s.\n", took.Round(100*time.Millisecond))
}
