package chassis

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/eventstore"
)

// Projections keeps read models up to date until the service stops. The admin port tells how far they are, and rebuilds one while it
// is read:
//
//	GET  /projections
//	POST /projections/balances/rebuild
//	POST /projections/balances/skip?generation=1&position=42   an event at which it stands still
func (s *Service) Projections(p *eventstore.Projector) {
	s.Go("projections", p.Run)
	handler := gin.WrapH(p.Handler())
	s.admin.Router().Handle(http.MethodGet, "/projections", handler)
	s.admin.Router().Handle(http.MethodPost, "/projections/:name/:action", handler)
}
