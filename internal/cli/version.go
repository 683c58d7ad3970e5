package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/render"
)

// build is what is known of this program.
type build struct {
	Version   string `json:"version"`
	Templates string `json:"templates"`
	Go        string `json:"go"`
	Platform  string `json:"platform"`
	Revision  string `json:"revision,omitempty"`
	Modified  bool   `json:"modified,omitempty"` // the working tree had changes
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of scaffold and of its templates",
		Example: `  scaffold version
  scaffold version --json`,
		Args:              arguments(0, 0, "scaffold version"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			b, err := buildInfo()
			if err != nil {
				return err
			}
			if asJSON {
				raw, err := json.Marshal(b)
				if err != nil {
					return fmt.Errorf("encode the version: %w", err)
				}
				a.say("%s\n", raw)
				return nil
			}
			a.say("scaffold %s, templates %s, %s %s", b.Version, b.Templates, b.Go, b.Platform)
			if b.Revision != "" {
				a.say(", revision %.12s", b.Revision)
			}
			if b.Modified {
				a.say(" with changes")
			}
			a.say("\n")
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	return cmd
}

func buildInfo() (build, error) {
	renderer, err := render.New()
	if err != nil {
		return build{}, err
	}
	b := build{Version: "(devel)", Templates: renderer.Version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b, nil
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b, nil
}
