package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/trellis-mesh/trellis/internal/local/watch"
	"github.com/trellis-mesh/trellis/internal/port"
)

// watchers are the programs that watch the platform, none unless that is an option.
type watchers struct {
	parts     []watch.Part
	procs     []*process // one for each part
	missing   []watch.Missing
	collector string // where services send their traces and logs; empty when nothing takes them
}

// watch starts them, before the services, which look for a collector. One that fails is reported, and holds nobody up.
func (p *Platform) watch(ports ports) error {
	if !p.options.Observe {
		return nil
	}
	at := ports.watch
	inner, err := port.Free(len(at.Inner))
	if err != nil {
		return err
	}
	copy(at.Inner[:], inner)
	admin := make(map[string]string, len(p.services))
	for _, s := range p.services {
		admin[s.Name] = loopback(ports.services[s.Name].admin)
	}
	w := p.watchers
	w.parts, w.missing, err = watch.Make(watch.Options{
		Root: p.options.Root, Dir: filepath.Join(filepath.Dir(p.options.DataDir), "watch"),
		Services: admin, Versions: p.options.Model.Platform.Versions, Ports: at,
	})
	if err != nil {
		return err
	}
	for _, part := range w.parts {
		proc := &process{
			Service: Service{Name: part.Name, URL: part.URL}, binary: part.Binary, args: part.Args,
			dir: p.options.Root, env: append(os.Environ(), part.Env...),
			emit:   func([]byte) {}, // its last lines are shown if it ends
			exited: func(r *run) { p.console.report("%s %s", r.process.Name, r.outcome()) },
		}
		if err := proc.start(p.spawn); err != nil {
			return err
		}
		w.procs = append(w.procs, proc)
		if part.Name == "jaeger" {
			w.collector = "http://" + loopback(at.OTLP)
		}
	}
	return nil
}

// awaitWatchers reports which are not ready in time.
func (p *Platform) awaitWatchers(ctx context.Context) {
	var group sync.WaitGroup
	for i, part := range p.watchers.parts {
		group.Go(func() {
			r := p.watchers.procs[i].last()
			if err := r.waitAnswer(ctx, p.options.ReadyTimeout, part.Ready); err != nil && ctx.Err() == nil && !r.ended() { // an end is reported by itself
				p.console.report("%s", err)
			}
		})
	}
	group.Wait()
}

// stop stops them, and names those that had to be killed.
func (w *watchers) stop(ctx context.Context, limit time.Duration) (killed []string) {
	ended := make([]bool, len(w.procs))
	var group sync.WaitGroup
	for i, proc := range w.procs {
		group.Go(func() {
			r := proc.last()
			ended[i] = r.ended() || !r.stop(ctx, limit)
		})
	}
	group.Wait()
	for i, proc := range w.procs {
		if !ended[i] {
			killed = append(killed, proc.Name)
		}
	}
	return killed
}

func (w *watchers) url(name string) string {
	for _, part := range w.parts {
		if part.Name == name {
			return part.URL
		}
	}
	return ""
}

// table shows where they are, and how to get those that are not.
func (w *watchers) table() string {
	var out strings.Builder
	t := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, part := range w.parts {
		_, _ = fmt.Fprintf(t, "%s\t%s\n", part.Name, part.URL)
	}
	for _, m := range w.missing {
		_, _ = fmt.Fprintf(t, "%s\tis not installed: %s\n", m.Name, m.Remedy)
	}
	_ = t.Flush() // a Builder takes everything
	return out.String()
}

// Watchers are the URLs of what watches the platform, by name.
func (p *Platform) Watchers() map[string]string {
	all := make(map[string]string, len(p.watchers.parts))
	for _, part := range p.watchers.parts {
		all[part.Name] = part.URL
	}
	return all
}
