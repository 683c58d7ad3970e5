package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/trellis-mesh/trellis/test/market"
	"github.com/trellis-mesh/trellis/test/play/game"
)

const help = `Usage: go run ./test/play [flags]        (make play, make play ARGS="-for 60s")

Has people shop in a running shop until Ctrl-C: they log in, look around, order, pay, and come back to see what became of it. It shows
how quickly the shop answers, and what becomes of the orders. The exit status is 1 when an answer was a 5xx or none, or when an order was
neither completed nor cancelled 30 s after the end. A second Ctrl-C does not wait for that.

  go run ./test/play                                  in the shop of make up, until Ctrl-C
  go run ./test/play -for 60s -json                   for a minute; the result as JSON
  go run ./test/play -people 100 -rate 50             more of them, and quicker
  go run ./test/play -declined 0.5 -soldout 0.3       with more bad luck
  go run ./test/play -url https://trellis.localhost   in the shop of make kind-up, through its gateway

The shop bounds how often each client may ask, and on this machine each of the people is one (through the gateway of make kind-up, all are
one). Who is told so waits; give more people rather than a higher rate.

Flags:
`

type options struct {
	game game.Game
	url  string
	json bool
}

func main() {
	var o options
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), help)
		flag.PrintDefaults()
	}
	flag.Uint64Var(&o.game.Seed, "seed", 1, "who the people are, and what they do")
	flag.IntVar(&o.game.People, "people", 20, "how many `people`")
	flag.IntVar(&o.game.Products, "products", 50, "how many `products` they shop for")
	flag.Float64Var(&o.game.Rate, "rate", 15, "how many `actions` a second they do together")
	flag.DurationVar(&o.game.For, "for", 0, "for how long; 0 for until Ctrl-C")
	flag.DurationVar(&o.game.Settle, "settle", 30*time.Second, "how long orders may take after the end")
	flag.Float64Var(&o.game.Rates.Orders, "orders", 0.5, "`share` of visits in which something is ordered")
	flag.Float64Var(&o.game.Rates.Declined, "declined", 0.1, "`share` of orders with a card that is declined")
	flag.Float64Var(&o.game.Rates.Invoice, "invoice", 0.2, "`share` of orders on invoice")
	flag.Float64Var(&o.game.Rates.SoldOut, "soldout", 0.1, "`share` of orders with something that is sold out")
	flag.StringVar(&o.url, "url", "", "the `address` of the local cluster's gateway, instead of the shop of make up")
	flag.BoolVar(&o.json, "json", false, "print the result as JSON")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "play:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if err := o.game.Validate(); err != nil {
		return err
	}
	// The first signal has the people leave, the second ends it all.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	leave, playing := make(chan struct{}), make(chan struct{})
	go func() {
		<-signals
		close(leave)
		select {
		case <-playing:
			<-signals
		default: // it has not begun
		}
		cancel()
	}()
	shop, err := open(ctx, o.url)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "Registering people and products…")
	r, err := game.Prepare(ctx, shop, o.game)
	if err != nil {
		return err
	}
	close(playing)
	ended, shown := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(shown)
		follow(os.Stderr, term.IsTerminal(int(os.Stderr.Fd())), r, ended)
	}()
	result := r.Play(ctx, leave)
	close(ended)
	<-shown
	if o.json {
		if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
			return err
		}
		return result.Verdict()
	}
	fmt.Print(table(result.Actions, result.Orders))
	for _, fault := range result.Faults {
		fmt.Println(fault)
	}
	fmt.Printf("They shopped for %s.\n", time.Duration(result.Seconds*float64(time.Second)).Round(100*time.Millisecond))
	return result.Verdict()
}

func open(ctx context.Context, url string) (*market.Shop, error) {
	if url != "" {
		return market.Cluster(ctx, ".", url)
	}
	return market.Local(ctx, ".")
}
