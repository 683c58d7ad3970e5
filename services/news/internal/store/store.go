// Package store keeps articles in the service's database.
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
var ErrNotFound = errors.New("article not found")

// Article is what the service keeps.
type Article struct {
	bun.BaseModel `bun:"table:articles"`

	ID        string `bun:",pk"`
	Name      string
	CreatedAt time.Time
}

// Store keeps articles.
type Store struct {
	db *database.DB
}

// New makes a store in db.
func New(db *database.DB) *Store {
	return &Store{db: db}
}

// Create keeps an article.
func (s *Store) Create(ctx context.Context, article Article) error {
	if _, err := s.db.NewInsert().Model(&article).Exec(ctx); err != nil {
		return fmt.Errorf("insert article: %w", err)
	}
	return nil
}

// Get gives the article of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (Article, error) {
	var article Article
	err := s.db.NewSelect().Model(&article).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Article{}, ErrNotFound
	}
	if err != nil {
		return Article{}, fmt.Errorf("select article: %w", err)
	}
	return article, nil
}

// List gives at most limit articles with ids greater than after, in the order of their ids.
func (s *Store) List(ctx context.Context, after string, limit int) ([]Article, error) {
	var articles []Article
	err := s.db.NewSelect().Model(&articles).Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select articles: %w", err)
	}
	return articles, nil
}
