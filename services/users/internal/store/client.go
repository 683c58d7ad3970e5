package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// Client is a program that may ask for tokens.
type Client struct {
	bun.BaseModel `bun:"table:clients"`

	ID         string `bun:",pk"`
	SecretHash string
	Scopes     string // separated by spaces
	CreatedAt  time.Time
}

// PutClient keeps a client as it is now.
func (s *Store) PutClient(ctx context.Context, client Client) error {
	_, err := s.Own.NewInsert().Model(&client).On("CONFLICT (id) DO UPDATE").
		Set("secret_hash = EXCLUDED.secret_hash").Set("scopes = EXCLUDED.scopes").Exec(ctx)
	if err != nil {
		return fmt.Errorf("keep client: %w", err)
	}
	return nil
}

// Client gives the client of an id, or ErrNotFound.
func (s *Store) Client(ctx context.Context, id string) (Client, error) {
	return one[Client](ctx, s.Own, "client", "id = ?", id)
}
