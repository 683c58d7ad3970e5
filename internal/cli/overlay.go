package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// overlay is a file system with some files as they will be: declarations are read and checked before they are written.
type overlay struct {
	below  fs.FS
	files  map[string][]byte // by path; nil hides the file
	hidden string            // a folder that is hidden with all that is in it; empty for none
}

func (o overlay) hides(name string) bool {
	return o.hidden != "" && (name == o.hidden || strings.HasPrefix(name, o.hidden+"/"))
}

// Open opens the file that will be there.
func (o overlay) Open(name string) (fs.File, error) {
	content, set := o.files[name]
	switch {
	case set && content != nil:
		return &overlayFile{Reader: bytes.NewReader(content), info: overlayInfo{name: path.Base(name), size: int64(len(content))}}, nil
	case set || o.hides(name):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return o.below.Open(name)
}

// ReadFile reads the file that will be there.
func (o overlay) ReadFile(name string) ([]byte, error) {
	content, set := o.files[name]
	switch {
	case set && content != nil:
		return bytes.Clone(content), nil
	case set || o.hides(name):
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return fs.ReadFile(o.below, name)
}

// ReadDir lists what will be in a folder.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(o.below, name)
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		full := path.Join(name, e.Name())
		_, set := o.files[full]
		return set || o.hides(full)
	})
	added := make(map[string]fs.DirEntry)
	for full, content := range o.files {
		rest, inside := strings.CutPrefix(full, name+"/")
		if name == "." {
			rest, inside = full, true
		}
		if !inside || content == nil {
			continue
		}
		child, _, folder := strings.Cut(rest, "/")
		added[child] = fs.FileInfoToDirEntry(overlayInfo{name: child, size: int64(len(content)), dir: folder})
	}
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || len(added) == 0) {
		return nil, err
	}
	for _, e := range entries {
		delete(added, e.Name())
	}
	for _, e := range added {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

type overlayFile struct {
	*bytes.Reader
	info overlayInfo
}

func (f *overlayFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *overlayFile) Close() error               { return nil }

type overlayInfo struct {
	name string
	size int64
	dir  bool
}

func (i overlayInfo) Name() string       { return i.name }
func (i overlayInfo) Size() int64        { return i.size }
func (i overlayInfo) ModTime() time.Time { return time.Time{} }
func (i overlayInfo) IsDir() bool        { return i.dir }
func (i overlayInfo) Sys() any           { return nil }
func (i overlayInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
