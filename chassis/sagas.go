package chassis

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/saga"
)

// Sagas shows the service's parked sagas on the admin port, at /sagas, where a person lets them go on; saga.Handler says how. Call it
// once, with all that the service has.
func (s *Service) Sagas(desks ...saga.Desk) {
	handler := gin.WrapH(saga.Handler(desks...))
	s.admin.Router().Handle(http.MethodGet, "/sagas", handler)
	s.admin.Router().Handle(http.MethodPost, "/sagas/*rest", handler)
}
