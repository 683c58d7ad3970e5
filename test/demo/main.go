// Command demo shows the platform in one go: it scaffolds a service into a scratch copy of the platform, runs it beside
// the others, sends it a request, and shows what can be seen of that request: health, metrics, and one trace across HTTP,
// the outbox, Kafka and a consumer.
//
//	go run ./test/demo            (or: make demo)
//
// It leaves nothing behind but the scratch copy under .trellis/demo, which keeps the next run's build short.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/workspace"
	"github.com/trellis-mesh/trellis/test/scratch"
)

func main() {
	limit := flag.Duration("timeout", 10*time.Minute, "give up after this `duration`")
	flag.Parse()
	if workspace.CommitterMain(os.Args) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	began := time.Now()
	origin, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the platform: %w", err)
	}
	if _, err := os.Stat(filepath.Join(origin, "platform.yaml")); err != nil {
		return errors.New("there is no platform.yaml here: run the demo from the platform's root")
	}
	d := &demo{ctx: ctx, out: out, root: filepath.Join(origin, ".trellis", "demo")}
	if err := d.all(origin); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nDone in %s. Everything is stopped; the scratch copy is %s.\n", time.Since(began).Round(100*time.Millisecond), relative(origin, d.root))
	fmt.Fprint(out, "\nNext:\n  make up                                   run the whole platform\n"+
		"  go run ./cmd/scaffold new --help          make a service of your own\n")
	return nil
}

// demo is one run, in its scratch copy of the platform.
type demo struct {
	ctx      context.Context
	out      io.Writer
	root     string
	scaffold string
	unsynced bool   // what follows from fewer services is still to be written
	token    string // what the requests are sent with
}

func (d *demo) all(origin string) error {
	d.step("A scratch copy of the platform")
	if err := scratch.Copy(d.ctx, origin, d.root); err != nil {
		return err
	}
	fewer, err := scratch.Only(d.root, []string{"catalog", "orders"}, []string{"greeter"})
	if err != nil {
		return err
	}
	d.scaffold = filepath.Join(d.root, ".trellis", "bin", "scaffold")
	if err := d.command(d.out, "go", "build", "-o", d.scaffold, "./cmd/scaffold"); err != nil {
		return err
	}
	if fewer {
		// This fails where orders consumes the event of a greeter that was made before: the new one brings it.
		d.unsynced = d.command(io.Discard, d.scaffold, "sync") != nil
	}
	if err := d.declare(); err != nil {
		return err
	}
	platform, err := d.start()
	if err != nil {
		return err
	}
	shown := d.show(platform)
	d.step("Stop")
	stopped := platform.Stop(context.WithoutCancel(d.ctx))
	return errors.Join(shown, stopped)
}

// declare makes the service greeter and lets orders consume its event.
func (d *demo) declare() error {
	flags := []string{"new", "greeter", "--resource", "greeting", "--database", "postgres",
		"--call", "catalog:getProduct", "--publish", "greeting.created.v1"}
	d.step("The plan for a service greeter: a database, a call to catalog, an event")
	if err := d.run(append(flags, "--dry-run")...); err != nil {
		return err
	}
	d.step("The real run applies that very plan")
	if err := d.run(flags...); err != nil {
		return err
	}
	if err := tree(d.out, d.root, filepath.Join("services", "greeter")); err != nil {
		return err
	}
	d.step("Somebody should hear of a greeting: orders consumes the event")
	if err := d.run("add", "orders", "event", "consume", "greeting.created.v1"); err != nil {
		return err
	}
	if d.unsynced {
		if err := d.run("sync"); err != nil {
			return err
		}
	}
	return d.run("check")
}

func (d *demo) start() (*local.Platform, error) {
	d.step("Build and start greeter with the three services, Kafka, and a trace sink")
	model, err := spec.Load(os.DirFS(d.root))
	if err != nil {
		return nil, fmt.Errorf("load the platform: %w", err)
	}
	logs, err := os.Create(filepath.Join(d.root, ".trellis", "services.log"))
	if err != nil {
		return nil, fmt.Errorf("keep the services' logs: %w", err)
	}
	platform, err := local.Start(d.ctx, local.Options{
		Root: d.root, Model: model, FreePorts: true, Out: d.out, Logs: logs, Log: local.LogJSON,
	})
	if err != nil {
		return nil, fmt.Errorf("start the platform (its logs: %s): %w", logs.Name(), err)
	}
	for _, s := range model.Services {
		at := platform.Service(s.Name)
		fmt.Fprintf(d.out, "  %-10s api %s   admin %s\n", at.Name, at.URL, at.Admin)
	}
	return platform, nil
}

func (d *demo) step(title string) { fmt.Fprintf(d.out, "\n── %s\n", title) }

// run calls the scaffold command, showing how it is called.
func (d *demo) run(args ...string) error {
	fmt.Fprintf(d.out, "$ scaffold %s\n", strings.Join(args, " "))
	return d.command(d.out, d.scaffold, args...)
}

func (d *demo) command(out io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(d.ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.root, out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", filepath.Base(name), strings.Join(args, " "), err)
	}
	return nil
}

func relative(from, path string) string {
	if r, err := filepath.Rel(from, path); err == nil {
		return r
	}
	return path
}
