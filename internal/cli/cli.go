// Package cli is the scaffold command: what a person types, what is asked, printed and returned. It joins the packages that do the
// work and decides nothing about files: declarations are read by spec, proven by lint, rendered by render; plan decides what becomes of
// each file, and workspace writes it.
//
//	func main() { os.Exit(cli.Main()) }
//
// Results go to standard output, errors and asides to standard error. Colours and prompts need a terminal; without one nothing is
// ever asked. The exit codes are an interface: see Code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trellis-mesh/trellis/internal/cli/termquery"
	"github.com/trellis-mesh/trellis/internal/workspace"
)

// Code is an exit code.
type Code int

// The exit codes.
const (
	Done     Code = 0
	Failed   Code = 1 // an error; nothing was written unless it says so
	Usage    Code = 2 // the command line is wrong
	Conflict Code = 3 // conflicts are left for a person
	Drift    Code = 4 // check: files differ from what is declared
)

// Main runs the command line of this process and returns its exit code.
func Main() int {
	termquery.Restore()
	if workspace.CommitterMain(os.Args[1:]) {
		return int(Done)
	}
	if os.Getenv("GOGC") == "" {
		// A command lives for a fraction of a second: collecting less takes a third off its time for a few megabytes.
		debug.SetGCPercent(400)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	return int(Run(ctx, os.Args[1:], standardStreams()))
}

// Run runs one command line.
func Run(ctx context.Context, args []string, io Streams) Code {
	app := &app{Streams: io, args: args}
	root := app.command()
	root.SetArgs(args)
	root.SetIn(io.In)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	return app.finish(root.ExecuteContext(ctx))
}

// app is one run of the command.
type app struct {
	Streams
	args []string
	root string // --root
}

// failure is an error with an exit code of its own.
type failure struct {
	code Code
	err  error // nil when everything has been said
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("exit %d", f.code)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// usage is an error of the command line itself.
func usage(format string, args ...any) error {
	return &failure{Usage, fmt.Errorf(format, args...)}
}

// finish prints an error and gives its code.
func (a *app) finish(err error) Code {
	if err == nil {
		return Done
	}
	code := Failed
	if f := (*failure)(nil); errors.As(err, &f) {
		code = f.code
		if f.err == nil {
			return code
		}
	}
	a.printError(err)
	return code
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "scaffold",
		Short: "Make, change, check and run the services of a Trellis platform",
		Long: `Scaffold writes services from what they declare.

A platform is a folder with a platform.yaml; each folder under services/ declares one service in its service.yaml. From these, scaffold
writes the code, the deployment and the tests that follow, and never overwrites what a person wrote.`,
		Example: `  scaffold new greeter --database postgres --call catalog:getProduct --publish greeting.created.v1
  scaffold sync              # after service.yaml or a contract was changed
  scaffold check             # everything that can be proven without running anything
  scaffold up                # the whole platform on this machine; Ctrl-C ends it
  scaffold undo              # take the last command back`,
		Args:              a.knownCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,

		SuggestionsMinimumDistance: 2,
	}
	root.PersistentFlags().StringVar(&a.root, "root", "", "the platform's folder (default: the nearest one up from here with a platform.yaml)")
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(
		a.newCommand(), a.syncCommand(), a.addCommand(), a.removeCommand(), a.canaryCommand(), a.checkCommand(), a.undoCommand(), a.explainCommand(),
		a.graphCommand(), a.upCommand(), a.urlCommand(), a.clusterCommand(), a.eventsCommand(), a.doctorCommand(), a.versionCommand(),
	)
	a.teachCompletion(root)
	return root
}

// wrongFlag says of a flag's value what is wanted instead, where the parser tells only which of its functions failed.
func wrongFlag(cmd *cobra.Command, err error) error {
	wrong := (*pflag.InvalidValueError)(nil)
	if !errors.As(err, &wrong) {
		return usage("%w\nSee `%s --help`.", err, cmd.CommandPath())
	}
	flag := wrong.GetFlag()
	want := map[string]string{
		"int": "a whole number is wanted, such as --%s 10", "duration": "a time with a unit is wanted, such as --%s 30s",
		"bool": "nothing is wanted behind it, or true or false: --%s=false",
	}[flag.Value.Type()]
	if want == "" {
		return usage("%w\nSee `%s --help`.", err, cmd.CommandPath())
	}
	return usage("%s: --%s %s: "+want+"\nSee `%s --help`.", cmd.Name(), flag.Name, wrong.GetValue(), flag.Name, cmd.CommandPath())
}

// knownCommand refuses what is no command, with the nearest one.
func (a *app) knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(" Did you mean %q?", near[0])
	}
	return usage("no command %q.%s\nSee `scaffold --help`.", args[0], hint)
}

// arguments checks the number of a command's arguments; most may be -1 for any number.
func arguments(least, most int, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usage("%s: an argument is missing: %s", cmd.Name(), example)
		case most >= 0 && len(args) > most:
			return usage("%s: %q is one argument too many: %s", cmd.Name(), args[most], example)
		}
		return nil
	}
}
