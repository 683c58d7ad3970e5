//go:build unix && !linux

package workspace

import (
	"errors"
	"io/fs"
	"os"
)

// readPlain is what Linux has and others have not: Read walks the path itself.
func readPlain(*os.File, string) ([]byte, fs.FileMode, error) { return nil, 0, errors.ErrUnsupported }
