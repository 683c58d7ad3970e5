package chassis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// Spec is what a service's declaration says, as far as the running service needs it. It is generated from service.yaml.
type Spec struct {
	// Name is the service's: in logs, spans and metrics, and as its consumer group.
	Name string
	// Version is that of the program. Default: what the Go command stamped it with.
	Version string
	// Port is the API's port unless http.addr says otherwise. Default 8080.
	Port int
	// Timeout is how long a request may take, unless its operation's x-timeout says otherwise. Default: httpserver's.
	Timeout time.Duration
	// Objective is within how long an answer has to come, as slo says. The latency histogram has a bound there.
	Objective time.Duration
	// Contract is the OpenAPI document that requests are validated against. Without one nothing is.
	Contract []byte
	// Database and Cache say whether the service has its own.
	Database, Cache bool
	// Shards are further databases, by name, that the service spreads rows over.
	Shards []string
	// Calls are the services that this one may call.
	Calls []Call
	// Publishes and Consumes are event types.
	Publishes, Consumes []string
}

// Call is one declared synchronous dependency. Zero values stand for httpclient's defaults.
type Call struct {
	Service     string
	Timeout     time.Duration
	Attempts    int
	PerTry      time.Duration
	Concurrency int
	// Degrade says that the service answers without the callee, marked as degraded, rather than to fail.
	Degrade bool
}

// Wire builds a service's own parts and hands them to the chassis: handlers to Router, event handlers to Consume, work to
// Go. It runs once, before the service answers anything; its context ends when the service is told to stop.
type Wire = func(context.Context, *Service) error

// Main runs the service as a program: with the process's arguments, environment and signals. It does not return.
//
// Exit codes: 0 after an ordered stop; 1 when the service could not start or its work failed; 2 for a wrong command line;
// 130 when a second signal cut the stop short.
func Main(spec Spec, wire Wire) {
	signals := make(chan os.Signal, 2) // room for the second one: signal.Notify does not wait
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	// GOMEMLIMIT becomes nine tenths of the container's limit, unless it is set; the rest is for what is not on the heap. A
	// limit that cannot be read is no reason not to start. GOMAXPROCS follows the container by itself.
	_, _ = memlimit.Set()
	tuneCollector()

	err := Run(context.Background(), spec, wire, Options{
		Args: os.Args[1:], Environ: os.Environ(), Stdout: os.Stdout, Signals: signals, install: true,
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", spec.Name, err)
	}
	os.Exit(exitCode(err))
}

// ErrInterrupted is what Run gives when a second signal did not let it end in order.
var ErrInterrupted = errors.New("stopped at once by a second signal")

// ErrUsage is a command line that Run does not understand.
var ErrUsage = errors.New("wrong command line")

func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrUsage):
		return 2
	case errors.Is(err, ErrInterrupted):
		return 130
	}
	return 1
}

// Options bring the process in, so that a test can be one.
type Options struct {
	// Args are the command line's arguments, without the program's name.
	Args []string
	// Environ is the environment, as os.Environ gives it.
	Environ []string
	// Stdout gets the log and what --help and its like print; nothing does when nil.
	Stdout io.Writer
	// Signals asks the service to stop in order; a second one, to stop at once.
	Signals <-chan os.Signal
	// Started is told when the service answers requests.
	Started func(*Service)

	made        func(*Service) // is told of the service before it starts
	install     bool           // the process is all the service's: its telemetry, its memory
	newConsumer func(*Service) (runner, error)
}

// Run runs the service until ctx ends, a signal comes or its work fails, then stops it in order. It gives nil after an
// ordered stop that was asked for. After [ErrInterrupted] goroutines may still be running: end the process.
func Run(ctx context.Context, spec Spec, wire Wire, opt Options) error {
	if opt.Stdout == nil {
		opt.Stdout = io.Discard
	}
	spec.Version = cmp.Or(spec.Version, builtVersion())
	mode, err := parse(spec, opt.Args)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	result := make(chan error, 1)
	var made atomic.Pointer[Service]
	opt.made = made.Store
	go func() { result <- run(ctx, spec, wire, mode, opt) }()
	for asked := false; ; asked = true {
		select {
		case err := <-result:
			return err
		case <-opt.Signals:
			if asked {
				if s := made.Load(); s != nil {
					_ = s.tel.FlushLog() // what cannot be written now never will be
				}
				return ErrInterrupted
			}
			stop()
		}
	}
}

func run(ctx context.Context, spec Spec, wire Wire, mode mode, opt Options) error {
	if mode == showVersion || mode == showHelp {
		return show(opt.Stdout, spec, mode)
	}
	begun := time.Now()
	set, err := loadSettings(spec, opt.Environ)
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	if mode == showConfig {
		return set.print(opt.Stdout, spec)
	}
	if mode == migrate {
		set.migration.Database.Migrate = true
	}
	s, err := newService(ctx, spec, set, opt)
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	opt.made(s)
	if err := s.start(ctx, wire, mode == migrate); err != nil {
		if ctx.Err() != nil {
			err = nil // it was told to stop before it was ready, and did
		} else {
			err = fmt.Errorf("cannot start: %w", err)
		}
		return errors.Join(err, s.abandon())
	}
	if mode == migrate {
		s.Log().InfoContext(ctx, "migrated", "took", time.Since(begun).String())
		return s.abandon()
	}
	s.Log().InfoContext(ctx, "ready", "api", s.api.Addr(), "admin", s.admin.Addr(), "took", time.Since(begun).String())
	_ = s.tel.FlushLog() // whoever waits for the line sees it at once
	if opt.Started != nil {
		opt.Started(s)
	}
	if opt.install {
		if err := releaseStart(); err != nil {
			s.Log().DebugContext(ctx, "the memory of the start was not given back", "error", err)
		}
	}
	return s.untilStopped(ctx)
}
