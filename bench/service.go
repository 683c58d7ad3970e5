package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/trellis-mesh/trellis/bench/load"
	"github.com/trellis-mesh/trellis/bench/proc"
	"github.com/trellis-mesh/trellis/bench/sink"
)

// The promises for a generated service.
const (
	startBudget    = 150 // milliseconds
	residentBudget = 30  // MiB
	ginBudget      = 0.7 // of bare Gin's throughput
)

// measureService compares a generated service with the others: first it proves that each one's features are on, then it
// measures starts and memory, then throughput.
func measureService(ctx context.Context, o options, s *scratchTree, r *report) error {
	all, err := contestants(ctx, s)
	if err != nil {
		return err
	}
	collector, err := sink.Start()
	if err != nil {
		return err
	}
	defer collector.Close()
	for _, c := range all {
		if err := proveFeatures(ctx, c, collector); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	servers := make([]server, len(all))
	for i, c := range all {
		servers[i].Name = c.name
		if err := measureStarts(ctx, c, o.starts, collector.Addr, &servers[i]); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if err := measureThroughput(ctx, o, all, collector.Addr, servers); err != nil {
		return err
	}
	r.Servers = servers
	judge(r)
	return nil
}

// judge holds the figures of the generated service, the second server, against their budgets.
func judge(r *report) {
	gin, generated := r.Servers[0], r.Servers[1]
	r.atMost("start to ready", generated.Start, "ms", startBudget, "median, process start to the first 200 of readiness")
	r.atMost("idle resident memory", generated.ResidentMiB, "MiB", residentBudget,
		fmt.Sprintf("median, 1 s after readiness; %.1f MiB are the process's own, the rest pages of the program file", generated.OwnMiB))
	r.atLeast("throughput against bare Gin", generated.Ratio, ginBudget,
		fmt.Sprintf("%.0f of %.0f requests/s, metrics, traces, log and validation on; median of the rounds' ratios", generated.PerSecond, gin.PerSecond))
	for _, other := range r.Servers[2:] {
		switch other.Name {
		case unwatched:
			r.ratio("throughput with metrics and traces against without", generated.Ratio/other.Ratio,
				fmt.Sprintf("%.0f of %.0f requests/s; the same program in the same rounds", generated.PerSecond, other.PerSecond))
		case recorded:
			r.ratio("throughput with log records sent, too, against not", other.Ratio/generated.Ratio,
				fmt.Sprintf("%.0f of %.0f requests/s; %.2f of bare Gin's", other.PerSecond, generated.PerSecond, other.Ratio))
		default:
			r.atLeast("throughput against "+other.Name, generated.Ratio/other.Ratio, 1, "the same features on in both")
		}
	}
}

// settleTime is how long a server is left alone before its idle memory is read.
const settleTime = time.Second

func measureStarts(ctx context.Context, c contestant, starts int, otlp string, out *server) error {
	var times []time.Duration
	var resident, own []int64
	for range starts {
		p, err := c.launch(ctx, otlp, -1, nil)
		if err != nil {
			return err
		}
		times = append(times, p.StartToReady)
		select {
		case <-time.After(settleTime):
		case <-ctx.Done():
		}
		if all, private, err := p.Resident(); err == nil {
			resident, own = append(resident, all), append(own, private)
		}
		if err := p.Kill(); err != nil {
			return err
		}
	}
	out.Start = float64(median(times).Microseconds()) / 1000
	out.ResidentMiB, out.OwnMiB = mebibytes(median(resident)), mebibytes(median(own))
	return nil
}

// rounds are one server's results, one entry a round.
type rounds struct {
	perSecond, ratios, p50, p99, cpu, busy []float64
}

func measureThroughput(ctx context.Context, o options, all []contestant, otlp string, out []server) error {
	serverCPU, release, err := splitProcessors()
	if err != nil {
		return err
	}
	defer release()
	servers := make([]*running, len(all))
	for i, c := range all {
		if servers[i], err = c.start(ctx, otlp, serverCPU, nil); err != nil {
			return err
		}
		defer servers[i].Kill() //nolint:errcheck // nothing is left to do
		if _, err := servers[i].load(ctx, o, o.duration/2); err != nil {
			return fmt.Errorf("%s: warm up: %w", c.name, err)
		}
	}
	results := make([]rounds, len(all))
	for range o.rounds {
		for i, s := range servers {
			if err := results[i].add(ctx, o, s); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			last := len(results[i].perSecond) - 1
			results[i].ratios = append(results[i].ratios, results[i].perSecond[last]/results[0].perSecond[last])
		}
	}
	for i, result := range results {
		result.summarise(&out[i])
	}
	if o.profile != "" {
		return servers[1].writeProfile(ctx, o)
	}
	return nil
}

// writeProfile loads the server and writes what its processor time goes to.
func (r *running) writeProfile(ctx context.Context, o options) error {
	const seconds = 5
	o.duration = (seconds + 1) * time.Second
	loaded := make(chan error, 1)
	go func() {
		_, err := r.load(ctx, o, o.duration)
		loaded <- err
	}()
	status, profile, err := get(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", r.adminAddr, seconds))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("profile: %d %s", status, profile)
	}
	if err == nil {
		err = os.WriteFile(o.profile, profile, 0o644)
	}
	return errors.Join(err, <-loaded)
}

// splitProcessors keeps one processor for the servers and puts this process on another; with only one, all share it.
func splitProcessors() (serverCPU int, release func(), err error) {
	cpus := proc.CPUs()
	if len(cpus) < 2 {
		return -1, func() {}, nil
	}
	release, err = proc.PinSelf(cpus[0])
	return cpus[1], release, err
}

func (r *running) load(ctx context.Context, o options, duration time.Duration) (load.Result, error) {
	result, err := load.Run(ctx, load.Options{Addr: r.addr, Path: r.path, Connections: o.connections, Duration: duration})
	if err == nil && result.Failed > 0 {
		err = fmt.Errorf("%d of %d requests were not answered with 200", result.Failed, result.Requests)
	}
	return result, err
}

func (r *rounds) add(ctx context.Context, o options, s *running) error {
	before, _ := s.CPUTime()
	result, err := s.load(ctx, o, o.duration)
	if err != nil {
		return err
	}
	after, _ := s.CPUTime()
	used := after - before
	r.perSecond = append(r.perSecond, result.PerSecond())
	r.p50 = append(r.p50, milliseconds(result.P50))
	r.p99 = append(r.p99, milliseconds(result.P99))
	r.cpu = append(r.cpu, float64(used.Microseconds())/float64(result.Requests))
	r.busy = append(r.busy, used.Seconds()/result.Elapsed.Seconds())
	return nil
}

func (r *rounds) summarise(out *server) {
	out.PerSecond, out.Ratio = median(r.perSecond), median(r.ratios)
	out.P50, out.P99 = median(r.p50), median(r.p99)
	out.CPU, out.Busy = median(r.cpu), median(r.busy)
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
