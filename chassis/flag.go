package chassis

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/flag"
)

// flagSettings are the keys of a service that has flags.
type flagSettings struct {
	Flags struct {
		File string   `config:"file" doc:"YAML or JSON file of feature flags, which is followed; none when empty"`
		Set  []string `config:"set" doc:"name=value of flags that are set for everybody, whatever the file says, separated by commas"`
	} `config:"flags"`
}

// Flags opens the service's feature flags, as the keys flags.file and flags.set say, and follows the file until the service
// stops. The admin port shows them at /flags. Call it once.
func (s *Service) Flags(context.Context) (*flag.Flags, error) {
	var set flagSettings
	if err := s.Config(&set); err != nil {
		return nil, err
	}
	flags, err := flag.Open(flag.Options{File: set.Flags.File, Set: set.Flags.Set, Log: s.Log(), Registry: s.Registry()})
	if err != nil {
		return nil, err
	}
	s.Go("flags", flags.Run)
	s.OnStop("flags", flags.Close)
	s.admin.Router().Handle(http.MethodGet, "/flags", gin.WrapH(flags.Handler()))
	return flags, nil
}
