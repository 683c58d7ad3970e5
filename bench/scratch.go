package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// scratchTree is a temporary folder with the scaffold binary and the copies of the platform that are measured.
type scratchTree struct {
	dir      string
	root     string // the platform that is copied
	scaffold string // the built command
}

func newScratch(ctx context.Context, root string) (*scratchTree, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "trellis-bench-")
	if err != nil {
		return nil, err
	}
	s := &scratchTree{dir: dir, root: root, scaffold: filepath.Join(dir, "scaffold")}
	if err := build(ctx, root, "./cmd/scaffold", s.scaffold); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *scratchTree) remove() { _ = os.RemoveAll(s.dir) }

// build compiles one main package. Trimmed paths let copies of the platform share the build cache.
func build(ctx context.Context, dir, pkg, out string) error {
	return command(ctx, dir, "go", "build", "-trimpath", "-buildvcs=false", "-o", out, pkg)
}

// command runs a program in dir and gives what it printed when it fails.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v in %s: %w\n%s", name, args, dir, err, output)
	}
	return nil
}

// skipped are the folders that are no part of a platform's source.
var skipped = []string{".git", ".trellis", "bin", "bench", "tools"}

// copyPlatform copies the whole platform into a new folder of the scratch tree.
func (s *scratchTree) copyPlatform(name string) (string, error) {
	target := filepath.Join(s.dir, name)
	err := filepath.WalkDir(s.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(s.root, path)
		if err != nil {
			return err
		}
		if slices.Contains(skipped, relative) {
			return filepath.SkipDir
		}
		switch {
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(target, relative), 0o750)
		case entry.Type().IsRegular():
			return copyFile(path, filepath.Join(target, relative))
		}
		return nil
	})
	return target, err
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	_, err = io.Copy(out, in)
	return err
}
