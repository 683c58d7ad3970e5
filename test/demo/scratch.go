package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// copyPlatform makes a fresh copy of the platform's sources at scratch. Where git knows the sources, it says which they are.
func copyPlatform(ctx context.Context, origin, scratch string) error {
	if err := os.RemoveAll(scratch); err != nil {
		return fmt.Errorf("clear the scratch folder: %w", err)
	}
	files, err := sources(ctx, origin)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := copyFile(filepath.Join(origin, name), filepath.Join(scratch, name)); err != nil {
			return fmt.Errorf("copy the platform: %w", err)
		}
	}
	return nil
}

func sources(ctx context.Context, origin string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = origin
	if listed, err := cmd.Output(); err == nil {
		return strings.FieldsFunc(string(bytes.TrimSpace(listed)), func(r rune) bool { return r == 0 }), nil
	}
	var files []string
	err := filepath.WalkDir(origin, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == ".trellis"):
			return filepath.SkipDir
		case entry.Type().IsRegular():
			files = append(files, relative(origin, path))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the platform's files: %w", err)
	}
	return files, nil
}

// copyFile copies a regular file with its permissions; a file that git lists but a person deleted is passed over.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

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
