// Package store keeps articles, and who asks the sources, in the service's database.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/services/news/internal/domain"
)

type articleRow struct {
	bun.BaseModel `bun:"table:articles"`

	ID          string `bun:",pk"`
	Source      string
	Title       string
	Link        string
	Summary     string
	PublishedAt time.Time
	SeenAt      time.Time
}

// Store keeps articles.
type Store struct {
	db *database.DB
}

// New makes a store in db.
func New(db *database.DB) *Store {
	return &Store{db: db}
}

// Keep keeps what a source offered at a time, and tells how many articles are new. Of those that are known the text is brought up to
// date, and the date stays: nothing moves while somebody turns the pages.
func (s *Store) Keep(ctx context.Context, articles []domain.Article, at time.Time) (added int, err error) {
	rows := rowsOf(articles, at)
	if len(rows) == 0 {
		return 0, nil
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := affected(tx.NewInsert().Model(&rows).On("CONFLICT (id) DO NOTHING").Exec(ctx))
		if err != nil {
			return fmt.Errorf("insert articles: %w", err)
		}
		if added = n; n == len(rows) {
			return nil
		}
		_, err = tx.NewInsert().Model(&rows).On("CONFLICT (id) DO UPDATE").
			Set("title = EXCLUDED.title, link = EXCLUDED.link, summary = EXCLUDED.summary, seen_at = EXCLUDED.seen_at").Exec(ctx)
		if err != nil {
			return fmt.Errorf("update articles: %w", err)
		}
		return nil
	})
	return added, err
}

// rowsOf has each article once, in the order of their ids, so that those who keep the same ones do not wait for each other in a circle.
func rowsOf(articles []domain.Article, at time.Time) []articleRow {
	rows := make([]articleRow, len(articles))
	for i, a := range articles {
		rows[i] = articleRow{
			ID: a.ID, Source: a.Source, Title: a.Title, Link: a.Link, Summary: a.Summary, PublishedAt: a.PublishedAt, SeenAt: at,
		}
	}
	byID := func(a, b articleRow) int { return cmp.Compare(a.ID, b.ID) }
	slices.SortStableFunc(rows, byID)
	return slices.CompactFunc(rows, func(a, b articleRow) bool { return a.ID == b.ID })
}

// Place is where a page of the list ended.
type Place struct {
	PublishedAt time.Time
	ID          string
}

// List gives at most limit articles after a place, the latest first; those of a source when it is not empty.
func (s *Store) List(ctx context.Context, source string, after *Place, limit int) ([]domain.Article, error) {
	var rows []articleRow
	query := s.db.NewSelect().Model(&rows).Order("published_at DESC", "id DESC").Limit(int64(limit))
	if source != "" {
		query.Where("source = ?", source)
	}
	if after != nil {
		query.Where("(published_at, id) < (?, ?)", after.PublishedAt, after.ID)
	}
	if err := query.Scan(ctx); err != nil {
		return nil, fmt.Errorf("select articles: %w", err)
	}
	articles := make([]domain.Article, len(rows))
	for i, r := range rows {
		articles[i] = domain.Article{
			ID: r.ID, Source: r.Source, Title: r.Title, Link: r.Link, Summary: r.Summary, PublishedAt: r.PublishedAt.UTC(),
		}
	}
	return articles, nil
}

// Drop forgets at most limit articles that no source has offered since a time, the oldest first, and tells how many.
func (s *Store) Drop(ctx context.Context, before time.Time, limit int) (int, error) {
	old := s.db.NewSelect().Model((*articleRow)(nil)).Column("id").Where("seen_at < ?", before).Order("seen_at").Limit(int64(limit))
	n, err := affected(s.db.NewDelete().Model((*articleRow)(nil)).Where("id IN (?)", old).Exec(ctx))
	if err != nil {
		return 0, fmt.Errorf("delete articles: %w", err)
	}
	return n, nil
}

// Crop forgets at most limit articles of a source beyond its latest ones, and tells how many.
func (s *Store) Crop(ctx context.Context, source string, latest, limit int) (int, error) {
	excess := s.db.NewSelect().Model((*articleRow)(nil)).Column("id").Where("source = ?", source).
		Order("published_at DESC", "id DESC").Offset(int64(latest)).Limit(int64(limit))
	n, err := affected(s.db.NewDelete().Model((*articleRow)(nil)).Where("id IN (?)", excess).Exec(ctx))
	if err != nil {
		return 0, fmt.Errorf("delete articles of %s: %w", source, err)
	}
	return n, nil
}

func affected(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
