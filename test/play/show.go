package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/trellis-mesh/trellis/test/play/game"
)

// table shows what came of all actions, and of the orders.
func table(lines []game.Line, orders game.Outcome) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ACTION\tA SECOND\tTIMES\tP50 MS\tP99 MS\t2XX\t4XX\t429\t5XX\tNONE")
	for _, l := range lines {
		_, _ = fmt.Fprintf(w, "%s\t%.1f\t%d\t%.0f\t%.0f\t%d\t%d\t%d\t%d\t%d\n", l.Action, l.PerSecond, l.Count, l.P50, l.P99, l.OK, l.Refused, l.Limited, l.Failed, l.Lost)
	}
	_ = w.Flush() // a Builder takes everything
	for _, l := range lines {
		for _, status := range slices.Sorted(maps.Keys(l.Statuses)) {
			if status >= 400 && status != http.StatusTooManyRequests {
				fmt.Fprintf(&out, "%s: %d × %d %s\n", l.Action, l.Statuses[status], status, http.StatusText(status))
			}
		}
	}
	fmt.Fprintf(&out, "\n%d orders, %d of them settling; to their outcome %.0f ms (p50), %.0f ms (p99)\n", orders.Placed, orders.Settling, orders.P50, orders.P99)
	for _, outcome := range slices.Sorted(maps.Keys(orders.Outcomes)) {
		fmt.Fprintf(&out, "  %d %s\n", orders.Outcomes[outcome], outcome)
	}
	return out.String()
}

// line is all of it in one line.
func line(lines []game.Line, orders game.Outcome, took time.Duration) string {
	var all game.Line
	slowest := 0.0
	for _, l := range lines {
		all.Count, all.PerSecond = all.Count+l.Count, all.PerSecond+l.PerSecond
		all.OK, all.Refused, all.Limited = all.OK+l.OK, all.Refused+l.Refused, all.Limited+l.Limited
		all.Failed, all.Lost = all.Failed+l.Failed, all.Lost+l.Lost
		slowest = max(slowest, l.P99)
	}
	return fmt.Sprintf("%4ds  %.1f/s  2xx %d  4xx %d  429 %d  5xx %d  none %d  p99 of the slowest action %.0f ms  orders %d, settling %d",
		int(took.Seconds()), all.PerSecond, all.OK, all.Refused, all.Limited, all.Failed, all.Lost, slowest, orders.Placed, orders.Settling)
}

// follow shows how it goes until ended is closed: on a terminal a table that is drawn again, else a line every five seconds.
func follow(out io.Writer, tty bool, run *game.Run, ended <-chan struct{}) {
	every := 5 * time.Second
	if tty {
		every = 500 * time.Millisecond
	}
	began := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	drawn := 0
	for {
		select {
		case <-ended:
			erase(out, drawn)
			return
		case <-tick.C:
		}
		if !tty {
			_, _ = fmt.Fprintln(out, line(run.Tally.Lines(), run.Orders.Now(), time.Since(began)))
			continue
		}
		text := table(run.Tally.Lines(), run.Orders.Now())
		erase(out, drawn)
		_, _ = fmt.Fprint(out, text)
		drawn = strings.Count(text, "\n")
	}
}

// erase takes so many lines back.
func erase(out io.Writer, lines int) {
	if lines > 0 {
		_, _ = fmt.Fprintf(out, "\x1b[%dA\x1b[J", lines)
	}
}
