package cli

import (
	"context"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/spec"
)

func (a *app) upCommand() *cobra.Command {
	var log string
	var asJSON, observe bool
	var wait time.Duration
	var env []string
	cmd := &cobra.Command{
		Use:   "up [NAME…]",
		Short: "Run the platform on this machine until Ctrl-C",
		Long: `Up builds the services and runs each as a process, with a Kafka, a Redis and receivers of traces and mails inside scaffold
itself, and a SQLite file for each database. Of each mail a line is shown; it goes to nobody. With names it runs these, and all that
they call. A service that ends is reported and not started again. Ctrl-C stops everything; data stays in .trellis/data.`,
		Example: `  scaffold up
  scaffold up orders                       # orders, and what it calls
  scaffold up --observe                    # with Prometheus, Alertmanager, Jaeger and Loki
  scaffold up --log json | jq .msg         # the services' own log lines
  scaffold up --json | jq '.services[].api'
  scaffold up --env orders:APP_FLAGS_FILE=$PWD/flags.yaml`,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			format := local.LogFormat(log)
			if format != local.LogText && format != local.LogJSON {
				return usage("up: no log format %q: take text or json", log)
			}
			set, err := serviceEnv(env)
			if err != nil {
				return err
			}
			return a.up(cmd.Context(), local.Options{Services: slices.Clone(names), ServiceEnv: set, Log: format, ReadyTimeout: wait, Observe: observe}, asJSON)
		},
	}
	cmd.Flags().StringVar(&log, "log", string(local.LogText), "how logs are shown: text, or json as the services write them")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the table of URLs as one line of JSON, and all else on standard error")
	cmd.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait for a service to become ready")
	cmd.Flags().StringArrayVar(&env, "env", nil, "a variable that one service gets, as SERVICE:NAME=VALUE (repeatable)")
	cmd.Flags().BoolVar(&observe, "observe", false, "run Prometheus, Alertmanager, Jaeger and Loki beside the services, as far as they are installed")
	completeFlag(cmd, "env", cobra.NoFileCompletions)
	completeFlag(cmd, "log", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "wait", cobra.NoFileCompletions)
	return cmd
}

// serviceEnv reads SERVICE:NAME=VALUE.
func serviceEnv(args []string) (map[string]map[string]string, error) {
	set := map[string]map[string]string{}
	for _, arg := range args {
		service, variable, ok := strings.Cut(arg, ":")
		name, value, has := strings.Cut(variable, "=")
		if !ok || !has || service == "" || name == "" {
			return nil, usage("up: --env %s: write it as SERVICE:NAME=VALUE, such as orders:APP_LOG_LEVEL=debug", arg)
		}
		if set[service] == nil {
			set[service] = map[string]string{}
		}
		set[service][name] = value
	}
	return set, nil
}

func (a *app) up(ctx context.Context, o local.Options, asJSON bool) error {
	at, err := a.platform()
	if err != nil {
		return err
	}
	o.Root, o.Model = at.Root, at.Model
	for service := range o.ServiceEnv {
		if o.Model.Service(service) == nil {
			return usage("up: --env: there is no service %s", service)
		}
	}
	o.KeepGoing = true
	o.Out, o.Logs, o.TTY, o.Colour = a.Out, a.Out, a.OutTTY, a.Colour
	// Standard output is what a program reads: the logs, or the table.
	switch {
	case asJSON:
		o.Out, o.Logs, o.TTY, o.Colour = a.Err, a.Err, false, a.ErrColour
	case o.Log == local.LogJSON:
		o.Out, o.TTY, o.Colour = a.Err, false, a.ErrColour
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(100) // unlike the other commands, this one stays
	}
	p, err := local.Start(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			return &failure{Failed, nil}
		}
		return err
	}
	if err := a.announce(p, asJSON); err != nil {
		return err
	}
	outcome := p.Wait(ctx)
	if ctx.Err() != nil {
		p.Report("stopping")
	}
	// The first signal has ended ctx; the second ends the process, and the services with it.
	if err := p.Stop(context.WithoutCancel(ctx)); err != nil {
		a.aside("%s %s\n", paint(a.ErrColour, yellow, "note:"), err)
	}
	return outcome
}

// platform opens the platform to be run; it need not stay open for that.
func (a *app) platform() (local.Options, error) {
	var o local.Options
	err := a.with(func(s *session) (err error) {
		o.Root = s.Root()
		o.Model, err = spec.Load(s.FS())
		return err
	})
	return o, err
}

func (a *app) announce(p *local.Platform, asJSON bool) error {
	if asJSON {
		line, err := p.JSON()
		if err != nil {
			return err
		}
		a.say("%s\n", line)
		return nil
	}
	text := "\n" + strings.TrimRight(p.Table(), "\n") + "\n"
	if command := p.TokenCommand(); command != "" {
		text += "\nWhere a contract asks for a token, get one with all scopes:\n  " + command + "\n\n"
	}
	p.Report(text + "Ctrl-C stops everything.\n")
	return nil
}
