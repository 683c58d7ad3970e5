//go:build real

package render

import (
	"io/fs"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/test/real"
)

// TestMigrationsOnPostgres applies a service's first migration, keeps a row as its store does, and goes back.
func TestMigrationsOnPostgres(t *testing.T) {
	p, _ := goldenPlatform(t)
	migrations, err := fs.Sub(p.files, "services/greeter/migrations")
	if err != nil {
		t.Fatal(err)
	}
	db, err := database.Open(t.Context(), real.Postgres(t), database.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := database.Migrate(t.Context(), db, migrations); err != nil {
		t.Fatal(err)
	}
	type greeting struct {
		bun.BaseModel `bun:"table:greetings"`

		ID        string `bun:",pk"`
		Name      string
		CreatedAt time.Time
		ProductID *string
	}
	kept := greeting{ID: "1", Name: "Ada", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
	if _, err := db.NewInsert().Model(&kept).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got greeting
	if err := db.NewSelect().Model(&got).Where("id = ?", "1").Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got.Name != kept.Name || !got.CreatedAt.Equal(kept.CreatedAt) || got.ProductID != nil {
		t.Errorf("got %+v, want %+v", got, kept)
	}
	if _, err := db.ExecContext(t.Context(), p.read("services/greeter/migrations/20260101000000_init.down.sql")); err != nil {
		t.Fatal(err)
	}
}
