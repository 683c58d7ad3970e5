package database

import (
	"database/sql/driver"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// awayStates are the SQLSTATEs, or their beginnings, by which PostgreSQL says that it cannot serve now (appendix A): connection
// exceptions, insufficient resources, and that it shuts down, was killed or starts up.
var awayStates = []string{"08", "53", "57P"}

// Away reports whether err says that the database cannot be reached or cannot serve now. It says nothing about what the database was
// asked, so the same may be asked again until it is back: InTx could not begin, for a second at least. A statement that takes too long, or that is cut off under way, is not it: the
// statement may be at fault.
func Away(err error) bool {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return slices.ContainsFunc(awayStates, func(state string) bool { return strings.HasPrefix(pg.Code, state) })
	}
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		return lite.Code() == 5 || lite.Code() == 13 // SQLITE_BUSY: another process writes; SQLITE_FULL: the disk is
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, ErrBusy) || errors.Is(err, errSilent)
}
