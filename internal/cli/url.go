package cli

import (
	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/spec"
)

func (a *app) urlCommand() *cobra.Command {
	var admin bool
	cmd := &cobra.Command{
		Use:   "url NAME",
		Short: "Print where a service listens that `scaffold up` runs",
		Long: `Url prints the address of a service's API, or with --admin that of its health, metrics and faults, when scaffold up runs it on this
machine. Services are numbered in the order of their names, from local.portBase of platform.yaml on: so a new service moves those after it.`,
		Example: `  curl "$(scaffold url orders)/v1/orders"
  curl "$(scaffold url --admin orders)/metrics"`,
		Args:              arguments(1, 1, "scaffold url NAME"),
		ValidArgsFunction: a.completeServices,
		RunE: func(_ *cobra.Command, args []string) error {
			return a.with(func(s *session) error {
				m, err := spec.Load(s.FS())
				if err != nil {
					return err
				}
				at, err := local.Locate(m, args[0])
				if err != nil {
					return err
				}
				if admin {
					at.URL = at.Admin
				}
				a.say("%s\n", at.URL)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&admin, "admin", false, "that of health, metrics and faults")
	return cmd
}
