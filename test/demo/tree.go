package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// tree draws the files under root/dir.
func tree(out io.Writer, root, dir string) error {
	fmt.Fprintln(out, dir+"/")
	return branch(out, filepath.Join(root, dir), "")
}

func branch(out io.Writer, dir, indent string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("draw the tree: %w", err)
	}
	for i, entry := range entries {
		knot, next := "├─ ", "│  "
		if i == len(entries)-1 {
			knot, next = "└─ ", "   "
		}
		if !entry.IsDir() {
			fmt.Fprintln(out, indent+knot+entry.Name())
			continue
		}
		fmt.Fprintln(out, indent+knot+entry.Name()+"/")
		if err := branch(out, filepath.Join(dir, entry.Name()), indent+next); err != nil {
			return err
		}
	}
	return nil
}
