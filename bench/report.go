package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/trellis-mesh/trellis/bench/proc"
)

// figure is one measured number and what was promised of it.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Limit is the promise: at most, or at least when AtLeast is set. No limit when nil.
	Limit   *float64 `json:"limit,omitempty"`
	AtLeast bool     `json:"atLeast,omitempty"`
	Pass    bool     `json:"pass"`
	Note    string   `json:"note,omitempty"`
}

// server is one line of the comparison; the figures are medians over the rounds.
type server struct {
	Name        string  `json:"name"`
	PerSecond   float64 `json:"requestsPerSecond"`
	Ratio       float64 `json:"ratioToBareGin"` // median of the rounds' ratios
	P50         float64 `json:"p50Milliseconds"`
	P99         float64 `json:"p99Milliseconds"`
	CPU         float64 `json:"cpuMicrosecondsPerRequest"`
	Busy        float64 `json:"cpuBusy"` // share of the server's processor that was used under load
	Start       float64 `json:"startToReadyMilliseconds"`
	ResidentMiB float64 `json:"idleResidentMiB"`
	OwnMiB      float64 `json:"idleOwnMiB"` // of the resident memory, without the pages of the program file
}

// busy is the share of the processors that other work may use before the figures are called into question.
const busy = 0.5

// report is everything that one run measured.
type report struct {
	Machine string    `json:"machine"`
	Begin   time.Time `json:"begin"`
	// Load is the load average over one minute at the start: near zero on a machine that is fit for measuring.
	Load    float64  `json:"loadAverage"`
	Figures []figure `json:"figures"`
	Servers []server `json:"servers,omitempty"`
}

func newReport() *report {
	return &report{
		Machine: fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version()),
		Begin:   time.Now(),
		Load:    proc.LoadAverage(),
	}
}

// atMost records a figure that must not exceed its budget, atLeast a ratio that must reach it.
func (r *report) atMost(name string, value float64, unit string, limit float64, note string) {
	r.Figures = append(r.Figures, figure{Name: name, Value: value, Unit: unit, Limit: &limit, Pass: value <= limit, Note: note})
}

func (r *report) atLeast(name string, ratio, limit float64, note string) {
	r.Figures = append(r.Figures, figure{
		Name: name, Value: ratio, Unit: "×", Limit: &limit, AtLeast: true, Pass: ratio >= limit, Note: note,
	})
}

// ratio records a ratio without a budget.
func (r *report) ratio(name string, value float64, note string) {
	r.Figures = append(r.Figures, figure{Name: name, Value: value, Unit: "×", Pass: true, Note: note})
}

// seconds records a time without a budget.
func (r *report) seconds(name string, value float64, note string) {
	r.Figures = append(r.Figures, figure{Name: name, Value: value, Unit: "s", Pass: true, Note: note})
}

func (r *report) pass() bool {
	for _, f := range r.Figures {
		if !f.Pass {
			return false
		}
	}
	return true
}

func (r *report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	fmt.Fprintf(w, "%s, %s\n", r.Machine, r.Begin.Format("2006-01-02 15:04"))
	if r.Load > busy*float64(runtime.NumCPU()) {
		fmt.Fprintf(w, "The machine was busy: load average %.1f at the start. Times are too long, and ratios may be wrong.\n", r.Load)
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tFIGURE\tBUDGET\tVERDICT\tHOW")
	for _, f := range r.Figures {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", f.Name, number(f.Value, f.Unit), f.budget(), f.verdict(), f.Note)
	}
	if err := table.Flush(); err != nil || len(r.Servers) == 0 {
		return err
	}
	fmt.Fprintln(w)
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "SERVER\treq/s\t× bare Gin\tp50 ms\tp99 ms\tCPU µs/req\tCPU busy\tstart ms\tidle MiB\town MiB\t")
	for _, s := range r.Servers {
		fmt.Fprintf(table, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.1f\t%.0f %%\t%.0f\t%.1f\t%.1f\t\n",
			s.Name, s.PerSecond, s.Ratio, s.P50, s.P99, s.CPU, 100*s.Busy, s.Start, s.ResidentMiB, s.OwnMiB)
	}
	return table.Flush()
}

func (f figure) budget() string {
	if f.Limit == nil {
		return "–"
	}
	sign := "≤ "
	if f.AtLeast {
		sign = "≥ "
	}
	return sign + number(*f.Limit, f.Unit)
}

func (f figure) verdict() string {
	switch {
	case f.Limit == nil:
		return ""
	case f.Pass:
		return "pass"
	default:
		return "FAIL"
	}
}

func number(value float64, unit string) string {
	digits := 0
	if value < 100 {
		digits = 2
	}
	text := fmt.Sprintf("%.*f", digits, value)
	if digits > 0 {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return strings.TrimSpace(text + " " + unit)
}
