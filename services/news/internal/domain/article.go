// Package domain is what news are: articles that several sources offer. It knows nothing of feeds, HTTP or databases.
package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Article is what a source wrote. All of it is plain text, however the source wrote it.
type Article struct {
	ID          string
	Source      string
	Title       string
	Link        string // http or https
	Summary     string
	PublishedAt time.Time
}

// ID gives the id of what a source calls by a key: the same each time that it is offered, and another one at another source.
func ID(source, key string) string {
	sum := sha256.Sum256([]byte(source + "\x00" + key)) // no name of a source has a NUL
	return hex.EncodeToString(sum[:16])
}

// Fault is a source that gave nothing, with a reason that is fit for clients.
type Fault struct {
	Reason string
	Err    error // nil, or what only the log is told
}

// Error gives the reason and the cause.
func (f *Fault) Error() string {
	if f.Err == nil {
		return f.Reason
	}
	return f.Reason + ": " + f.Err.Error()
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Err }
