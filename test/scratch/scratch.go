// Package scratch makes copies of the platform in which demos and the documents' commands can be tried.
//
//	err := scratch.Copy(ctx, root, dir)
//	fewer, err := scratch.Only(dir, []string{"catalog"}, []string{"billing"})
//
// It is not for services: a team's own are left out where nothing needs them, so that they can neither break a demo nor
// take the name or the port of a service that it makes.
package scratch

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
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// Copy makes a fresh copy of the platform's sources. Where git knows the sources, it says which they are.
func Copy(ctx context.Context, origin, scratch string) error {
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

// Only leaves, of the services in a copy, those that are needed, with all that they need themselves, and none with the name
// of one that is to be made. Event schemas that only the others use go with them. What is left has to be synced when it is fewer.
func Only(dir string, needed, made []string) (fewer bool, err error) {
	m, err := spec.Load(os.DirFS(dir))
	if err != nil {
		return false, fmt.Errorf("load the copy of the platform: %w", err)
	}
	keep := map[string]bool{}
	for _, name := range needed {
		follow(m, name, made, keep)
	}
	if issuer := m.Issuer(); issuer != nil { // any contract may ask for its tokens
		follow(m, issuer.Name, made, keep)
	}
	kept := func(s *spec.Service) bool { return keep[s.Name] }
	var gone []string
	for _, s := range m.Services {
		if !kept(s) {
			gone = append(gone, s.Dir)
		}
	}
	for _, e := range m.Events {
		users := slices.Concat(m.Publishers(e.Type), m.Consumers(e.Type))
		if len(users) > 0 && !slices.ContainsFunc(users, kept) {
			gone = append(gone, e.Path)
		}
	}
	fewer = len(gone) > 0
	for _, name := range made { // a folder that is no service is in the way, too
		gone = append(gone, spec.ServicesDir+"/"+name)
	}
	for _, name := range gone {
		if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return false, fmt.Errorf("leave out %s: %w", name, err)
		}
	}
	return fewer, nil
}

// follow keeps a service, those that it calls, and those that publish what it consumes.
func follow(m *spec.Model, name string, made []string, keep map[string]bool) {
	s := m.Service(name)
	if s == nil || keep[name] || slices.Contains(made, name) {
		return
	}
	keep[name] = true
	for _, callee := range s.Callees() {
		follow(m, callee, made, keep)
	}
	for _, t := range s.Events.Consumes {
		for _, publisher := range m.Publishers(t) {
			follow(m, publisher.Name, made, keep)
		}
	}
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
			name, err := filepath.Rel(origin, path)
			files = append(files, name)
			return err
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
