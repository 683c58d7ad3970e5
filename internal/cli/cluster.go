package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/cluster"
)

// clusterFlags are those of every command of a cluster.
type clusterFlags struct {
	cluster.Options
	json bool
}

func (a *app) clusterCommand() *cobra.Command {
	f := &clusterFlags{}
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Run the platform on a local Kubernetes cluster",
		Long: `Cluster makes a Kubernetes cluster of this machine's Docker with kind, installs Istio, PostgreSQL, Redis, Kafka, Prometheus, Grafana
and Jaeger, and runs the services on it. Nothing else must be installed: no kubectl, no helm, no kind.

How the cluster is made is in kind-config.yaml, what differs on it in mesh/environments/kind, and which versions and images run in
platform.yaml.`,
		Example: `  scaffold cluster up        # make it, or bring it in line with what is declared
  scaffold cluster status
  scaffold cluster test      # prove that it works
  scaffold cluster down      # remove it, with all that it holds`,
		Args: arguments(0, 0, "scaffold cluster up|down|status|test|token|logs|dashboards"),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&f.Environment, "environment", "", "folder in mesh/environments (default: $"+cluster.EnvironmentVariable+", or kind)")
	cmd.PersistentFlags().StringVar(&f.NodeImage, "node-image", "", "image of the node (default: $"+cluster.NodeImageVariable+", or what platform.yaml says)")
	cmd.PersistentFlags().StringVar(&f.BaseImage, "base-image", "", "image that the services' are built on (default: $"+cluster.BaseImageVariable+", or what platform.yaml says)")
	cmd.PersistentFlags().StringVar(&f.Charts, "charts", "", "folder with Istio's charts (default: $"+cluster.ChartsVariable+", or they are downloaded)")
	cmd.PersistentFlags().BoolVar(&f.json, "json", false, "print the outcome as JSON, and progress on standard error")
	cmd.AddCommand(a.clusterUpCommand(f), a.clusterDownCommand(f), a.clusterStatusCommand(f), a.clusterTokenCommand(f), a.clusterLogsCommand(f),
		a.clusterDashboardsCommand(f), a.clusterTestCommand(f))
	return cmd
}

func (a *app) clusterUpCommand(f *clusterFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Make the cluster, or bring it in line with what is declared",
		Long: `Up makes the cluster and all that runs on it. On a cluster that runs, it changes what differs from what is declared and nothing else;
after a run that was interrupted, it goes on. A step that fails says what it waited for, and shows the pod that is at fault.`,
		Example: `  scaffold cluster up
  scaffold cluster up --node-image kindest/node:v1.33.4`,
		Args:              arguments(0, 0, "scaffold cluster up"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.open(a)
			if err != nil {
				return err
			}
			report, err := p.Up(cmd.Context())
			if err != nil {
				return err
			}
			if f.json {
				return json.NewEncoder(a.Out).Encode(report)
			}
			a.say("\nThe platform is up after %s.\n\n%s\n%s\n\nNext:\n  scaffold cluster status   what runs\n  scaffold cluster token    a token for requests that need one\n  make kind-e2e             prove that it works\n  make kind-down            remove it\n",
				time.Duration(report.Seconds*float64(time.Second)).Round(time.Second), cluster.URLTable(report.URLs), report.Usage)
			return nil
		},
	}
}

func (a *app) clusterDownCommand(f *clusterFlags) *cobra.Command {
	return &cobra.Command{
		Use:               "down",
		Short:             "Remove the cluster, with all that it holds",
		Args:              arguments(0, 0, "scaffold cluster down"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.open(a)
			if err != nil {
				return err
			}
			removed, err := p.Down(cmd.Context())
			if err != nil {
				return err
			}
			if f.json {
				return json.NewEncoder(a.Out).Encode(map[string]bool{"removed": removed})
			}
			return nil
		},
	}
}

func (a *app) clusterStatusCommand(f *clusterFlags) *cobra.Command {
	return &cobra.Command{
		Use:               "status",
		Short:             "Show what runs on the cluster, where it is reached and what it takes",
		Args:              arguments(0, 0, "scaffold cluster status"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.open(a)
			if err != nil {
				return err
			}
			s, err := p.Status(cmd.Context())
			if err != nil {
				return err
			}
			if f.json {
				return json.NewEncoder(a.Out).Encode(s)
			}
			a.say("%s", s.Table())
			return nil
		},
	}
}

func (a *app) clusterTokenCommand(f *clusterFlags) *cobra.Command {
	var scopes []string
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print an access token of the platform's issuer",
		Long: `Token asks the platform's issuer, through the gateway, for a token as its first client, and prints it. With --scope it is good for
these scopes only.`,
		Example: `  curl -k -H "Authorization: Bearer $(scaffold cluster token)" https://trellis.localhost:8443/v1/orders/1
  scaffold cluster token --scope orders:read`,
		Args:              arguments(0, 0, "scaffold cluster token"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.open(a)
			if err != nil {
				return err
			}
			text, err := p.Token(cmd.Context(), scopes...)
			if err != nil {
				return err
			}
			a.say("%s\n", text)
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "scopes of the token (default: all that the contracts name)")
	return cmd
}

func (a *app) clusterLogsCommand(f *clusterFlags) *cobra.Command {
	var lines int
	cmd := &cobra.Command{
		Use:   "logs [NAME…]",
		Short: "Show the last lines of services on the cluster",
		Example: `  scaffold cluster logs
  scaffold cluster logs orders --lines 100`,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			p, err := f.open(a)
			if err != nil {
				return err
			}
			return p.Logs(cmd.Context(), a.Out, lines, names...)
		},
	}
	const shown = 20
	cmd.Flags().IntVar(&lines, "lines", shown, "lines of each container")
	return cmd
}

func (a *app) clusterDashboardsCommand(f *clusterFlags) *cobra.Command {
	return &cobra.Command{
		Use:               "dashboards",
		Short:             "Print where Grafana, Jaeger and Prometheus are, and open them where there is a browser",
		Args:              arguments(0, 0, "scaffold cluster dashboards"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.open(a)
			if err != nil {
				return err
			}
			urls := p.Dashboards()
			if f.json {
				return json.NewEncoder(a.Out).Encode(urls)
			}
			a.say("%s", cluster.URLTable(urls))
			if a.OutTTY {
				openBrowser(cmd.Context(), urls)
			}
			return nil
		},
	}
}

func (a *app) clusterTestCommand(f *clusterFlags) *cobra.Command {
	var only string
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Prove on the cluster that the platform works",
		Long: `Test runs the platform's tests for a real cluster, test/kind, against the one that runs: requests through the gateway and between
pods, canaries, faults, rollouts and migrations under load, traces and metrics. They leave the cluster as they found it.`,
		Example: `  scaffold cluster test
  scaffold cluster test --run 'Canary|Trace'`,
		Args:              arguments(0, 0, "scaffold cluster test"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.open(a)
			if err != nil {
				return err
			}
			if _, err := p.Open(cmd.Context()); err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			test := exec.CommandContext(cmd.Context(), "go", "test", "-tags", "kind", "-count", "1", "-timeout", "40m", "-v", "-run", only, "./test/kind")
			test.Dir, test.Stdout, test.Stderr = p.Root, a.Out, a.Err
			test.Env = append(append(os.Environ(), p.Environ()...), "TRELLIS_SCAFFOLD="+self) // spares them to build it
			if err := test.Run(); err != nil {
				return &failure{Failed, fmt.Errorf("the tests did not pass: %w", err)}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&only, "run", ".", "tests to run, as a regular expression")
	return cmd
}

// open gives the platform's cluster, which may not be there yet, as the flags say.
func (f *clusterFlags) open(a *app) (*cluster.Platform, error) {
	o := f.Options
	running, err := a.platform()
	if err != nil {
		return nil, err
	}
	o.Root, o.Model = running.Root, running.Model
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(100) // unlike the other commands, this one stays for minutes
	}
	o.Out, o.TTY, o.Colour = a.Out, a.OutTTY, a.Colour
	if f.json {
		o.Out, o.TTY, o.Colour = a.Err, false, a.ErrColour
	}
	return cluster.New(o)
}

// openBrowser opens addresses where a desktop can; elsewhere they were printed.
func openBrowser(ctx context.Context, urls []cluster.URL) {
	opener := "xdg-open"
	switch {
	case runtime.GOOS == "darwin":
		opener = "open"
	case os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return
	}
	for _, u := range urls {
		_ = exec.CommandContext(ctx, opener, u.URL).Run() // it was printed
	}
}
