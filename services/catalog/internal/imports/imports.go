// Package imports takes products from files of CSV as they come in, in pieces of any size, and in little memory.
//
// Rows are kept some hundred at a time, together with the place in the file that they reach to. Who is killed, or loses the connection,
// leaves an import that says where to go on; what was kept is not done again, and what was not kept comes again. Whatever ends a
// request, the rows that had come whole are kept.
package imports

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/services/catalog/internal/sheet"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

var (
	// ErrOffset is a piece that does not begin where the import is.
	ErrOffset = errors.New("the piece does not begin at the import's offset")
	// ErrComplete is a piece for an import that is complete.
	ErrComplete = errors.New("the import is complete")
	// ErrHeader is a file whose first row does not name the columns; the error's text says why. Nothing of it is kept.
	ErrHeader = errors.New("the first row does not name the columns")
	// ErrPiece is a piece in which no row ends, so that the import is where it was. One of sheet.MaxRow bytes has always some.
	ErrPiece = errors.New("no row ends in the piece")
)

const (
	// A chunk ends with so many rows, or so many bytes of the file, whichever comes first.
	chunkRows  = 500
	chunkBytes = 128 << 10
	// keeping is how long keeping a chunk may take, even when nobody waits for it any more.
	keeping = 10 * time.Second
)

// Store keeps imports; *store.Store says what its methods do.
type Store interface {
	CreateImport(ctx context.Context, created store.Import, done store.Done) error
	Import(ctx context.Context, id string) (store.Import, error)
	Advance(ctx context.Context, id string, chunk store.Chunk) (store.Import, error)
	Faults(ctx context.Context, id string, after int64, limit int) ([]store.Fault, error)
}

// Imports does what the package is for.
type Imports struct {
	store Store

	now   func() time.Time
	newID func() string
}

// New makes the use cases.
func New(store Store) *Imports {
	return &Imports{
		store: store,
		now:   func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }, // what a database keeps
		newID: func() string { return uuid.Must(uuid.NewV7()).String() },               // sorts by the time
	}
}

// Create begins an import. What done does is kept with it.
func (i *Imports) Create(ctx context.Context, done func(context.Context, bun.Tx, store.Import) error) (store.Import, error) {
	at := i.now()
	created := store.Import{ID: i.newID(), Status: store.Open, Place: store.Place{Line: 1}, CreatedAt: at, UpdatedAt: at}
	err := i.store.CreateImport(ctx, created, func(ctx context.Context, tx bun.Tx) error { return done(ctx, tx, created) })
	return created, err
}

// Get gives the import of an id.
func (i *Imports) Get(ctx context.Context, id string) (store.Import, error) {
	return i.store.Import(ctx, id)
}

// Faults gives rows that were left out, after a line.
func (i *Imports) Faults(ctx context.Context, id string, after int64, limit int) ([]store.Fault, error) {
	if _, err := i.store.Import(ctx, id); err != nil {
		return nil, err
	}
	return i.store.Faults(ctx, id, after, limit)
}

// Receive takes a piece of the file, which begins at offset, and with complete reaches to its end. It gives the import as it is then,
// also with an error, unless it is not known.
func (i *Imports) Receive(ctx context.Context, id string, offset int64, complete bool, body io.Reader) (store.Import, error) {
	at, err := i.store.Import(ctx, id)
	switch {
	case err != nil:
		return store.Import{}, err
	case at.Status == store.Complete:
		return at, ErrComplete
	case at.Offset != offset:
		return at, ErrOffset
	}
	p := &piece{Imports: i, at: at, reader: sheet.NewReader(body, sheet.State{Offset: at.Offset, Line: at.Line, Mode: sheet.Mode(at.Mode)})}
	if at.Columns != "" {
		p.columns = strings.Split(at.Columns, ",")
	}
	err = p.receive(ctx, complete)
	if errors.Is(err, store.ErrMoved) {
		err = ErrOffset
		if current, findErr := i.store.Import(context.WithoutCancel(ctx), id); findErr == nil {
			p.at = current
		}
	}
	return p.at, err
}

// piece is a part of a file that is coming in.
type piece struct {
	*Imports
	at      store.Import
	reader  *sheet.Reader
	columns []string

	products []store.Product
	faults   []store.Fault
}

func (p *piece) receive(ctx context.Context, complete bool) error {
	begin := p.at.Place
	ended := p.rows(ctx)
	whole := errors.Is(ended, io.EOF)
	if !whole && !errors.Is(ended, errSource) {
		return ended // it cannot be kept
	}
	if whole && complete {
		if row, ok := p.reader.Finish(); ok {
			if err := p.take(row); err != nil {
				return err
			}
		}
		if len(p.columns) == 0 {
			return ErrHeader
		}
	}
	if err := p.keep(ctx, whole && complete); err != nil {
		return err
	}
	var cut *sourceError
	switch {
	case errors.As(ended, &cut):
		return cut.err
	case complete || p.at.Place != begin:
		return nil
	case p.reader.Within():
		return ErrPiece
	}
	return nil
}

// sourceError is an error of the body, as opposed to one of ours.
type sourceError struct{ err error }

func (e *sourceError) Error() string   { return e.err.Error() }
func (e *sourceError) Unwrap() []error { return []error{e.err, errSource} }

var errSource = errors.New("the body ended with an error")

// rows takes all rows of the body and gives what ended it.
func (p *piece) rows(ctx context.Context) error {
	for {
		row, err := p.reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return io.EOF
		case err != nil:
			return &sourceError{err}
		}
		if err := p.take(row); err != nil {
			return err
		}
		if len(p.products)+len(p.faults) >= chunkRows || p.reader.State().Offset-p.at.Offset >= chunkBytes {
			if err := p.keep(ctx, false); err != nil {
				return err
			}
		}
	}
}

// take adds a row to the chunk.
func (p *piece) take(row sheet.Row) (err error) {
	if len(p.columns) == 0 {
		p.columns, err = header(row)
		return err
	}
	product, wrong := parse(p.columns, row)
	if wrong != nil {
		p.faults = append(p.faults, store.Fault{Line: row.Line, Field: wrong.field, Detail: wrong.detail})
		return nil
	}
	at := p.now()
	product.ID, product.Version, product.CreatedAt, product.UpdatedAt = p.newID(), 1, at, at
	p.products = append(p.products, product)
	return nil
}

// keep keeps the chunk. It does so even when the client has gone, which is a reason to keep what it has sent.
func (p *piece) keep(ctx context.Context, complete bool) error {
	state := p.reader.State()
	to := store.Place{Offset: state.Offset, Line: state.Line, Mode: int(state.Mode), Columns: strings.Join(p.columns, ",")}
	if to == p.at.Place && !complete {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keeping)
	defer cancel()
	at, err := p.store.Advance(ctx, p.at.ID, store.Chunk{
		From: p.at.Place, To: to, Products: p.products, Faults: p.faults, Complete: complete, At: p.now(),
	})
	if err != nil {
		return err
	}
	p.at = at
	p.products, p.faults = p.products[:0], p.faults[:0]
	return nil
}
