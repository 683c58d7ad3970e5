package shard

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// copier reads and writes the rows of a partition without knowing their types: as the texts that PostgreSQL makes of values
// and takes for them, and as the values that SQLite stores.
type copier struct {
	kind    string
	setup   Options
	of      string     // the partition
	columns [][]string // by table
	copied  int        // keys
}

// record is a row of a table.
type record struct {
	id     string
	values []any  // of the columns
	text   string // all of them, to compare
}

func newCopier(ctx context.Context, opt Options, db *database.DB, partition string) (copier, error) {
	c := copier{kind: db.Kind(), setup: opt, of: partition}
	for _, t := range opt.Tables {
		query := "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid"
		if c.kind == database.Postgres {
			query = `SELECT attname FROM pg_attribute WHERE attrelid = ?::regclass AND attnum > 0 AND NOT attisdropped
				AND attgenerated = '' ORDER BY attnum`
		}
		var names []string
		if err := db.NewRaw(query, t.Name).Scan(ctx, &names); err != nil {
			return copier{}, fmt.Errorf("read the columns of %s: %w", t.Name, err)
		}
		if !slices.Contains(names, opt.Column) || !slices.Contains(names, t.ID) {
			return copier{}, fmt.Errorf("table %s needs the columns %s and %s; it has %s", t.Name, opt.Column, t.ID, strings.Join(names, ", "))
		}
		c.columns = append(c.columns, names)
	}
	return c, nil
}

// ids gives the first keys of the partition after one and up to another, in the database's order, over all tables; nil is
// no bound, as is a limit of 0.
func (c *copier) ids(ctx context.Context, db bun.IDB, after, to *string, limit int) (ids []string, err error) {
	query, args := c.keys(after, to)
	query += " ORDER BY id"
	if limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", limit)
	}
	err = db.NewRaw(query, args...).Scan(ctx, &ids)
	return ids, err
}

// lastID gives the last key of the partition, nil if there is none.
func (c *copier) lastID(ctx context.Context, db bun.IDB) (*string, error) {
	query, args := c.keys(nil, nil)
	var ids []string // none or one
	err := db.NewRaw(query+" ORDER BY id DESC LIMIT 1", args...).Scan(ctx, &ids)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return &ids[0], nil
}

func (c *copier) keys(after, to *string) (query string, args []any) {
	var parts []string
	for _, t := range c.setup.Tables {
		part := "SELECT ? AS id FROM ? WHERE ? = ?"
		args = append(args, bun.Ident(t.ID), bun.Ident(t.Name), bun.Ident(c.setup.Column), c.of)
		if after != nil {
			part, args = part+" AND ? > ?", append(args, bun.Ident(t.ID), *after)
		}
		if to != nil {
			part, args = part+" AND ? <= ?", append(args, bun.Ident(t.ID), *to)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " UNION "), args
}

// rows gives the rows of some keys, by table.
func (c *copier) rows(ctx context.Context, tx bun.IDB, ids []string) ([][]record, error) {
	all := make([][]record, len(c.setup.Tables))
	if len(ids) == 0 {
		return all, nil
	}
	for i, t := range c.setup.Tables {
		records, err := c.read(ctx, tx, i, ids)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", t.Name, err)
		}
		all[i] = records
	}
	return all, nil
}

func (c *copier) read(ctx context.Context, tx bun.IDB, table int, ids []string) (records []record, err error) {
	t := c.setup.Tables[table]
	query := tx.NewSelect().Table(t.Name).ColumnExpr("CAST(? AS TEXT)", bun.Ident(t.ID)).
		Where("? = ?", bun.Ident(c.setup.Column), c.of).Where("? IN (?)", bun.Ident(t.ID), bun.List(ids))
	for _, name := range c.columns[table] {
		if c.kind == database.Postgres {
			query.ColumnExpr("?::text", bun.Ident(name))
		} else {
			query.ColumnExpr("+?", bun.Ident(name)) // an expression has no declared type, so the value comes as it is stored
		}
	}
	rows, err := query.Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	for rows.Next() {
		r := record{values: make([]any, len(c.columns[table]))}
		into := []any{&r.id}
		for i := range r.values {
			into = append(into, &r.values[i])
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for _, v := range r.values {
			r.text += fmt.Sprintf("%T %q,", v, fmt.Sprint(v))
		}
		records = append(records, r)
	}
	return records, rows.Err()
}

func (c *copier) insert(ctx context.Context, tx bun.Tx, rows [][]record) error {
	const most = 30000 // of 32766 arguments in a statement
	for i, t := range c.setup.Tables {
		for some := range slices.Chunk(rows[i], most/len(c.columns[i])) {
			var args []any
			for _, r := range some {
				args = append(args, r.values...)
			}
			// Past bun, which would write the values into the text: on SQLite a text with NUL would end there.
			if _, err := tx.Tx.ExecContext(ctx, c.statement(i, len(some)), args...); err != nil {
				return fmt.Errorf("insert into %s: %w", t.Name, err)
			}
		}
	}
	return nil
}

// statement inserts some rows into a table.
func (c *copier) statement(table, rows int) string {
	quote := func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
	var b strings.Builder
	b.WriteString("INSERT INTO " + quote(c.setup.Tables[table].Name) + " (")
	for i, name := range c.columns[table] {
		b.WriteString([]string{"", ", "}[min(i, 1)] + quote(name))
	}
	b.WriteString(")")
	if c.kind == database.Postgres {
		b.WriteString(" OVERRIDING SYSTEM VALUE")
	}
	b.WriteString(" VALUES ")
	for n := range rows * len(c.columns[table]) {
		switch {
		case n == 0:
			b.WriteString("(")
		case n%len(c.columns[table]) == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		if c.kind == database.Postgres {
			fmt.Fprintf(&b, "$%d", n+1)
		} else {
			b.WriteString("?") // to SQLite $1 is a name, which it looks for among all others: 30,000 of them take seconds
		}
	}
	b.WriteString(")")
	return b.String()
}

// deleteKeys deletes the rows of some keys, children first.
func (c *copier) deleteKeys(ctx context.Context, tx bun.IDB, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	for _, t := range slices.Backward(c.setup.Tables) {
		_, err := tx.NewDelete().Table(t.Name).Where("? = ?", bun.Ident(c.setup.Column), c.of).
			Where("? IN (?)", bun.Ident(t.ID), bun.List(ids)).Exec(ctx)
		if err != nil {
			return fmt.Errorf("delete from %s: %w", t.Name, err)
		}
	}
	return nil
}

// compare gives those of the keys whose rows are not the same in both databases.
func (c *copier) compare(ctx context.Context, a, b *database.DB, ids []string) (different []string, err error) {
	var states [2]map[string][]string
	for i, db := range []*database.DB{a, b} {
		err := snapshot(ctx, db, func(tx bun.Tx) error {
			tables, err := c.rows(ctx, tx, ids)
			states[i] = map[string][]string{}
			for n, rows := range tables {
				for _, r := range rows {
					states[i][r.id] = append(states[i][r.id], fmt.Sprint(n, " ", r.text))
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		slices.Sort(states[0][id])
		slices.Sort(states[1][id])
		if !slices.Equal(states[0][id], states[1][id]) {
			different = append(different, id)
		}
	}
	return different, nil
}
