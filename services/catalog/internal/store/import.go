package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

var (
	// ErrNoImport is what Import and Advance give for an id that is not known.
	ErrNoImport = errors.New("import not found")
	// ErrMoved is what Advance gives when the import is not where the chunk begins: somebody else has sent it, or all of it.
	ErrMoved = errors.New("import has moved on")
)

// MaxFaults is how many faults of an import are kept; the others are counted.
const MaxFaults = 10_000

// What an import can be.
const (
	Open     = "open"     // more of the file is to come
	Complete = "complete" // all of it has come
)

// Import is how far the import of a file has come.
type Import struct {
	bun.BaseModel `bun:"table:imports"`

	ID        string `bun:",pk"`
	Status    string
	Place     `bun:"embed:"`
	Imported  int64 // rows whose product is as they say
	Failed    int64 // rows that were left out
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Place is where in a file the next byte belongs.
type Place struct {
	Offset  int64  `bun:"byte_offset"`
	Line    int64  // from 1
	Mode    int    // of the grammar, within a row that is passed over
	Columns string // of the file, in their order and with commas between; empty before the first row
}

// Fault is why a row was left out.
type Fault struct {
	bun.BaseModel `bun:"table:import_faults"`

	ImportID string `bun:",pk"`
	Line     int64  `bun:",pk"` // on which the row begins
	Field    string // the column; empty for the row itself
	Detail   string
}

// Chunk is some rows of a file, one after the other.
type Chunk struct {
	From, To Place
	Products []Product // each with an id that it gets if its sku is not known
	Faults   []Fault   // by line
	Complete bool      // the file ends with it
	At       time.Time
}

// CreateImport keeps a new import. What done does, if it is not nil, is kept with it, or neither is.
func (s *Store) CreateImport(ctx context.Context, created Import, done Done) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&created).Exec(ctx); err != nil {
			return fmt.Errorf("insert import: %w", err)
		}
		return done.call(ctx, tx)
	})
}

// Import gives the import of an id, or ErrNoImport.
func (s *Store) Import(ctx context.Context, id string) (Import, error) {
	return findImport(ctx, s.db, id)
}

func findImport(ctx context.Context, db bun.IDB, id string) (Import, error) {
	var found Import
	err := db.NewSelect().Model(&found).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Import{}, ErrNoImport
	}
	if err != nil {
		return Import{}, fmt.Errorf("select import: %w", err)
	}
	return found, nil
}

// Advance keeps a chunk, all of it or nothing: the products, the faults, and how far the import is. It does so once: of two who send
// the same chunk, one gets ErrMoved. It gives the import as it is then.
func (s *Store) Advance(ctx context.Context, id string, chunk Chunk) (advanced Import, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := move(ctx, tx, id, chunk); err != nil {
			return err
		}
		if advanced, err = findImport(ctx, tx, id); err != nil {
			return err
		}
		if err := keepFaults(ctx, tx, advanced, chunk.Faults); err != nil {
			return err
		}
		changed, err := upsert(ctx, tx, chunk.Products)
		if err == nil && len(changed) > 0 {
			s.changing(ctx, changed)
		}
		return err
	})
	return advanced, err
}

// move takes the import, and its row's lock, from where the chunk begins to where it ends.
func move(ctx context.Context, tx bun.Tx, id string, chunk Chunk) error {
	status := Open
	if chunk.Complete {
		status = Complete
	}
	result, err := tx.NewUpdate().Model((*Import)(nil)).
		Set("status = ?", status).
		Set("byte_offset = ?", chunk.To.Offset).Set("line = ?", chunk.To.Line).
		Set("mode = ?", chunk.To.Mode).Set("columns = ?", chunk.To.Columns).
		Set("imported = imported + ?", len(chunk.Products)).Set("failed = failed + ?", len(chunk.Faults)).
		Set("updated_at = ?", chunk.At).
		Where("id = ?", id).Where("status = ?", Open).Where("byte_offset = ?", chunk.From.Offset).Exec(ctx)
	if err != nil {
		return fmt.Errorf("update import: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("update import: %w", err)
	}
	if n == 0 {
		return ErrMoved
	}
	return nil
}

// keepFaults keeps as many of the faults as there is room for. The import counts them already.
func keepFaults(ctx context.Context, tx bun.Tx, counted Import, faults []Fault) error {
	before := counted.Failed - int64(len(faults))
	room := max(0, MaxFaults-before)
	faults = slices.Clone(faults[:min(int64(len(faults)), room)])
	if len(faults) == 0 {
		return nil
	}
	for i := range faults {
		faults[i].ImportID = counted.ID
	}
	if _, err := tx.NewInsert().Model(&faults).Exec(ctx); err != nil {
		return fmt.Errorf("insert faults: %w", err)
	}
	return nil
}

// upsert makes the products be as they are given, by their skus, and gives the ids of those that were there and changed. Of two with
// the same sku the later one counts. They are written in the order of their skus, so that two imports at once do not wait for each other crosswise.
func upsert(ctx context.Context, tx bun.Tx, products []Product) (changed []string, err error) {
	if len(products) == 0 {
		return nil, nil
	}
	last := make(map[string]Product, len(products))
	for _, product := range products {
		last[product.SKU] = product
	}
	rows := make([]Product, 0, len(last))
	for _, product := range last {
		rows = append(rows, product)
	}
	slices.SortFunc(rows, func(a, b Product) int { return strings.Compare(a.SKU, b.SKU) })
	query := tx.NewInsert().Model(&rows).On("CONFLICT (sku) DO UPDATE")
	differs := make([]string, 0, 4)
	for _, column := range []string{"name", "description", "price_amount", "price_currency"} {
		query = query.Set("? = EXCLUDED.?", bun.Ident(column), bun.Ident(column))
		differs = append(differs, fmt.Sprintf("?TableAlias.%[1]s <> EXCLUDED.%[1]s", column))
	}
	err = query.Set("version = ?TableAlias.version + 1").Set("updated_at = EXCLUDED.updated_at").
		Where(strings.Join(differs, " OR ")).Returning("id").Scan(ctx, &changed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("upsert products: %w", err)
	}
	return slices.DeleteFunc(changed, func(id string) bool {
		return slices.ContainsFunc(rows, func(p Product) bool { return p.ID == id }) // it is new
	}), nil
}

// Faults gives at most limit rows that were left out, after a line.
func (s *Store) Faults(ctx context.Context, id string, after int64, limit int) ([]Fault, error) {
	var faults []Fault
	err := s.db.NewSelect().Model(&faults).Where("import_id = ?", id).Where("line > ?", after).Order("line").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select faults: %w", err)
	}
	return faults, nil
}

// changing has the guard keep readers away from the products until the transaction of ctx has ended.
func (s *Store) changing(ctx context.Context, ids []string) {
	if s.guard == nil {
		return
	}
	s.guard.Hold(ctx, ids)
	database.AfterCommit(ctx, func() { s.guard.Release(context.WithoutCancel(ctx), ids) })
}
