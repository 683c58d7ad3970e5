package chassis

import (
	"fmt"

	"github.com/trellis-mesh/trellis/chassis/config"
)

// settings are the configuration of one service.
type settings struct {
	config.Service
	migration
	source *config.Source
}

// migration is the one key that belongs to the chassis alone.
type migration struct {
	Database struct {
		Migrate bool `config:"migrate" default:"true" doc:"apply migrations at the start; false when a job with --migrate does"`
	} `config:"database"`
}

func loadSettings(spec Spec, environ []string) (*settings, error) {
	source, err := config.Open(config.Options{Environ: environ, Names: map[string][]string{"calls": callees(spec)}})
	if err != nil {
		return nil, err
	}
	set := &settings{source: source}
	if err := source.Decode(&set.Service); err != nil {
		return nil, err
	}
	if err := source.Decode(&set.migration); err != nil {
		return nil, err
	}
	if spec.Port != 0 && source.Origin("http.addr") == "default" {
		set.HTTP.Addr = fmt.Sprintf(":%d", spec.Port)
	}
	return set, nil
}

func callees(spec Spec) []string {
	names := make([]string, len(spec.Calls))
	for i, c := range spec.Calls {
		names[i] = c.Service
	}
	return names
}
