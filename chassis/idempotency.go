package chassis

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
)

// Idempotency has operations take an Idempotency-Key, as package idempotency says; the keys are kept in db, whose table it
// creates. Call it before the handlers are registered. Log and Registry are the service's.
func (s *Service) Idempotency(ctx context.Context, db *database.DB, opt idempotency.Options) error {
	for _, id := range slices.Concat(opt.Required, opt.Optional) {
		if !s.api.Serves(id) {
			return fmt.Errorf("take idempotency keys: the contract has no operation %s: give the operationId as it is there", id)
		}
	}
	if slices.ContainsFunc(s.Router().Routes(), func(r gin.RouteInfo) bool { return r.Method == http.MethodPost }) {
		return errors.New("take idempotency keys: handlers are registered already, and would not be covered: call Idempotency before")
	}
	if err := s.migrate(ctx, db, idempotency.Migrations()); err != nil {
		return err
	}
	opt.Log, opt.Registry = s.Log(), s.Registry()
	keys, err := idempotency.New(db, opt)
	if err != nil {
		return err
	}
	s.Router().Use(keys.Middleware)
	s.Go("idempotency keys", keys.Run)
	return nil
}
