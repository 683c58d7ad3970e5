package proof

import (
	"io/fs"
	"os"
	"testing"
)

// shop renders the platform in testdata/shop, after the edits: of a file, text that stands in it once, and other text.
func shop(t testing.TB, edits ...[3]string) fs.FS {
	t.Helper()
	p := newPlatform(t, os.DirFS("testdata/shop"))
	for _, e := range edits {
		p.edit(e[0], e[1], e[2])
	}
	if len(edits) > 0 {
		p.sync()
	}
	return os.DirFS(p.root)
}
