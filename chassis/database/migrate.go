package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"
)

// noTransaction, as a migration's first line, runs it outside a transaction (CREATE INDEX CONCURRENTLY needs that).
const noTransaction = "-- no transaction"

var migrationName = regexp.MustCompile(`^(\d{1,14})_([0-9a-z_-]+)\.up\.sql$`)

// migration is one file: record is what bun's table says of it once it is applied.
type migration struct {
	record     migrate.Migration
	file       string
	statements []string
	atomic     bool
}

// Migrate applies, in order of their names, the migrations of fsys that the database has not seen: files called
// 20260131120000_add_orders.up.sql at its root, and those in its folder postgres or sqlite when the database is of that
// kind. A line "--bun:split" parts statements that have to be sent one by one.
//
// A migration and the record of it commit together, so one that fails or is killed half-way leaves nothing and runs again
// next time; only one whose first line is "-- no transaction" can be left half-way, and must bear being repeated.
// Several processes may call Migrate at once: one works, the others wait. Applied migrations that fsys lacks are left alone,
// so that an older version of a service still starts.
func Migrate(ctx context.Context, db *DB, fsys fs.FS) error {
	all, err := readMigrations(fsys, db.kind)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	unlock, err := db.Lock(ctx, "migrate")
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer unlock()
	table := "bun_migrations"
	if set, ok := fsys.(interface{ MigrationSet() string }); ok {
		table += "_" + set.MigrationSet()
	}
	applied, err := appliedMigrations(ctx, db, table)
	if err != nil {
		return fmt.Errorf("migrate: read %s: %w", table, err)
	}
	for _, m := range all {
		if slices.ContainsFunc(applied, func(a migrate.Migration) bool { return a.Name == m.record.Name }) {
			continue
		}
		m.record.GroupID = applied.LastGroupID() + 1
		if err := m.apply(ctx, db, table); err != nil {
			return fmt.Errorf("migrate: %s: %w", m.file, err)
		}
	}
	return nil
}

// Named gives fsys a record of its own in the database (a table bun_migrations_<set>), so that a library's migrations and
// a service's never clash.
func Named(set string, fsys fs.FS) fs.FS { return namedFS{fsys, set} }

type namedFS struct {
	fs.FS
	set string
}

// MigrationSet names the set.
func (n namedFS) MigrationSet() string { return n.set }

func appliedMigrations(ctx context.Context, db *DB, table string) (migrate.MigrationSlice, error) {
	migrator := migrate.NewMigrator(db.DB, migrate.NewMigrations(), migrate.WithTableName(table), migrate.WithLocksTableName(table+"_locks"))
	if _, err := db.NewCreateTable().Model((*migrate.Migration)(nil)).ModelTableExpr(table).IfNotExists().Exec(ctx); err != nil {
		return nil, err
	}
	return migrator.AppliedMigrations(ctx)
}

func (m *migration) apply(ctx context.Context, db *DB, table string) error {
	if m.atomic {
		return db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			if err := noticeDeath(ctx, db, tx); err != nil {
				return err
			}
			return m.run(ctx, tx, table)
		})
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	return errors.Join(m.run(ctx, conn, table), conn.Close())
}

// noticeDeath has PostgreSQL (14 and later) look, while a statement runs, whether this process still lives. Without it the
// statement of a killed migrator would go on to its end, and the next migrator would wait for the tables it has locked.
func noticeDeath(ctx context.Context, db *DB, tx bun.Tx) error {
	if db.kind != Postgres {
		return nil
	}
	const setting = "client_connection_check_interval"
	_, err := tx.ExecContext(ctx, "SELECT set_config(?0, '1s', true) WHERE current_setting(?0, true) IS NOT NULL", setting)
	return err
}

func (m *migration) run(ctx context.Context, on bun.IDB, table string) error {
	for _, statement := range m.statements {
		if _, err := on.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	record := m.record
	_, err := on.NewInsert().Model(&record).ModelTableExpr(table).Exec(ctx)
	return err
}

// readMigrations reads the migrations for one kind of database, sorted by name.
func readMigrations(fsys fs.FS, kind string) ([]migration, error) {
	var all []migration
	for _, dir := range []string{".", kind} {
		entries, err := fs.ReadDir(fsys, dir)
		if dir == kind && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if entry.IsDir() || !strings.HasSuffix(entry.Name(), ".up.sql") {
				continue
			}
			m, err := readMigration(fsys, path.Join(dir, entry.Name()))
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b migration) int { return strings.Compare(a.record.Name, b.record.Name) })
	for i := 1; i < len(all); i++ {
		if all[i].record.Name == all[i-1].record.Name {
			return nil, fmt.Errorf("%s and %s have the same number: rename one", all[i-1].file, all[i].file)
		}
	}
	return all, nil
}

func readMigration(fsys fs.FS, file string) (migration, error) {
	parts := migrationName.FindStringSubmatch(path.Base(file))
	if parts == nil {
		return migration{}, fmt.Errorf("%s: want a name like 20260131120000_add_orders.up.sql", file)
	}
	content, err := fs.ReadFile(fsys, file)
	if err != nil {
		return migration{}, err
	}
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	m := migration{record: migrate.Migration{Name: parts[1], Comment: parts[2]}, file: file, atomic: true}
	m.atomic = !strings.HasPrefix(text, noTransaction)
	for statement := range strings.SplitSeq(text, "\n--bun:split") {
		if strings.TrimSpace(statement) != "" {
			m.statements = append(m.statements, statement)
		}
	}
	return m, nil
}
