package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/topic"
)

// topicsFormat is no drawing: it gives Kafka's topics as Strimzi is told of them.
const topicsFormat = "topics"

func (a *app) graphCommand() *cobra.Command {
	var format string
	formats := append(spec.Formats(), topicsFormat)
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Draw who calls whom and which events flow",
		Example: `  scaffold graph                                # mermaid, for a document
  scaffold graph --format dot | dot -Tsvg > platform.svg
  scaffold graph --format json
  scaffold graph --format topics > mesh/environments/production/topics.yaml   # for the component strimzi`,
		Args:              arguments(0, 0, "scaffold graph --format mermaid"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			if !slices.Contains(formats, format) {
				return usage("graph: no format %q: take %s", format, strings.Join(formats, ", "))
			}
			return a.with(func(s *session) error {
				m, err := spec.Load(s.FS())
				if err != nil {
					return err
				}
				if format == topicsFormat {
					a.say("%s", topic.Strimzi(m))
					return nil
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
	cmd.Flags().StringVar(&format, "format", "mermaid", strings.Join(formats, ", "))
	completeFlag(cmd, "format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
