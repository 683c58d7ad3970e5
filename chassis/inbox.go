package chassis

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/outbox"
)

// Inbox gives the service's inbox in db, whose tables it creates: what makes the effects of a consumed event happen once.
func (s *Service) Inbox(ctx context.Context, db *database.DB) (*outbox.Inbox, error) {
	if err := s.migrate(ctx, db, outbox.Migrations()); err != nil {
		return nil, err
	}
	return outbox.NewInbox(db, s.spec.Name), nil
}
