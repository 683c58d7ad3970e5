// Package store keeps messages in the service's database.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// ErrNotFound is what Get gives for an id that is not known.
var ErrNotFound = errors.New("message not found")

// Message is what the service keeps.
type Message struct {
	bun.BaseModel `bun:"table:messages"`

	ID        string `bun:",pk"`
	Name      string
	CreatedAt time.Time
}

// Store keeps messages.
type Store struct {
	db *database.DB
}

// New makes a store in db.
func New(db *database.DB) *Store {
	return &Store{db: db}
}

// Create keeps a message.
func (s *Store) Create(ctx context.Context, message Message) error {
	if _, err := s.db.NewInsert().Model(&message).Exec(ctx); err != nil {
		return fmt.Errorf("insert message: %w", err)
	}
	return nil
}

// Get gives the message of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (Message, error) {
	var message Message
	err := s.db.NewSelect().Model(&message).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Message{}, ErrNotFound
	}
	if err != nil {
		return Message{}, fmt.Errorf("select message: %w", err)
	}
	return message, nil
}

// List gives at most limit messages with ids greater than after, in the order of their ids.
func (s *Store) List(ctx context.Context, after string, limit int) ([]Message, error) {
	var messages []Message
	err := s.db.NewSelect().Model(&messages).Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select messages: %w", err)
	}
	return messages, nil
}
