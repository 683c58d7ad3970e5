package database

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// busyTimeout is how long a statement waits for SQLite's one writer.
const busyTimeout = 5 * time.Second

var memoryCount atomic.Int64

// openSQLite makes the pool. WAL lets readers go on beside the writer; transactions take the write lock when they begin,
// since one that reads first and writes later would fail, not wait, when another wrote in between.
func openSQLite(rawURL string) (*sql.DB, string, error) {
	path := strings.TrimPrefix(rawURL, "sqlite://")
	if path == "" || strings.Contains(path, "?") {
		return nil, "", errors.New("open database: want sqlite:///absolute/path.db, sqlite://relative.db or sqlite://:memory:, without parameters")
	}
	params := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "foreign_keys(1)", "synchronous(NORMAL)",
	}}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if inMemory(rawURL) {
		name = "memory"
		path = fmt.Sprintf("/trellis-%d", memoryCount.Add(1)) // shared by the pool's connections, by nobody else
		params.Set("vfs", "memdb")
	} else {
		params["_pragma"] = append(params["_pragma"], "journal_mode(WAL)")
	}
	pool, err := sql.Open("sqlite", fileURI(path, params))
	if err != nil {
		return nil, "", fmt.Errorf("open database %q: %w", name, err)
	}
	return pool, name, nil
}

func fileURI(path string, params url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + params.Encode()
}

func inMemory(rawURL string) bool { return rawURL == "sqlite://:memory:" }

// sqlitePath is the file of a SQLite URL; "" for anything else.
func sqlitePath(rawURL string) string {
	path, ok := strings.CutPrefix(rawURL, "sqlite://")
	if !ok || inMemory(rawURL) {
		return ""
	}
	return path
}
