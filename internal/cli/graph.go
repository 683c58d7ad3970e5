package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/spec"
)

func (a *app) graphCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Draw who calls whom and which events flow",
		Example: `  scaffold graph                                # mermaid, for a document
  scaffold graph --format dot | dot -Tsvg > platform.svg
  scaffold graph --format json`,
		Args:              arguments(0, 0, "scaffold graph --format mermaid"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			if !slices.Contains(spec.Formats(), format) {
				return usage("graph: no format %q: take %s", format, strings.Join(spec.Formats(), ", "))
			}
			return a.with(func(s *session) error {
				m, err := spec.Load(s.FS())
				if err != nil {
					return err
				}
				drawing, err := m.Graph(format)
				if err != nil {
					return err
				}
				a.say("%s", drawing)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "mermaid", strings.Join(spec.Formats(), ", "))
	completeFlag(cmd, "format", cobra.FixedCompletions(spec.Formats(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
