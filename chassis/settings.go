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
	source, err := config.Open(config.Options{Environ: environ, Names: names(spec)})
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

// names are the entries that the maps of the configuration must have, and no others.
func names(spec Spec) map[string][]string {
	callees := make([]string, len(spec.Calls))
	for i, c := range spec.Calls {
		callees[i] = c.Service
	}
	return map[string][]string{"calls": callees, "database.shards": append([]string{}, spec.Shards...)}
}
