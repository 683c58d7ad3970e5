package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// Marker is the file that marks a platform's root.
const Marker = "platform.yaml"

// ErrNoPlatform is the cause when no folder upwards has a platform.yaml.
var ErrNoPlatform = errors.New("no platform here")

// Workspace is an open platform root. It implements plan.Tree; Read and ReadDir may be called concurrently.
type Workspace struct {
	path string
	root *os.Root
	dir  *os.File // the root again, for reading
	disk disk
	// lockWait bounds the wait for another command; a committer that outlives its command is done long before.
	lockWait time.Duration
	// inProcess commits without a process of its own.
	inProcess bool

	mu      sync.Mutex
	folders map[string]error // the folders seen by Read: nil for one that is no link
	notices []string
}

// Find returns the platform's root: dir or the nearest folder above it that has a platform.yaml.
func Find(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the platform's root: %w", err)
	}
	for at := start; ; at = filepath.Dir(at) {
		info, err := os.Lstat(filepath.Join(at, Marker))
		switch {
		case err == nil && info.Mode().IsRegular():
			return at, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return "", fmt.Errorf("find the platform's root: %w", err)
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%w: neither %s nor a folder above it has a %s; go to the platform's folder", ErrNoPlatform, start, Marker)
		}
	}
}

// Open opens a platform's root, and first finishes or discards what an interrupted command left.
func Open(root string) (*Workspace, error) {
	w, err := open(root)
	if err != nil {
		return nil, err
	}
	if err := w.Recover(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func open(folder string) (*Workspace, error) {
	path, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("open the platform: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the platform: %w", err)
	}
	dir, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the platform: %w", err), root.Close())
	}
	w := &Workspace{
		path: path, root: root, dir: dir, disk: disk{root: root},
		lockWait: 2 * time.Second, folders: map[string]error{},
	}
	info, err := root.Lstat(Marker)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a file")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s needs a %s: %w", ErrNoPlatform, path, Marker, cause(err)), w.Close())
	}
	return w, nil
}

// Close releases the root.
func (w *Workspace) Close() error { return errors.Join(w.dir.Close(), w.root.Close()) }

// Root is the root's absolute path.
func (w *Workspace) Root() string { return w.path }

// FS reads the root's files. Unlike Read, it follows links that stay inside.
func (w *Workspace) FS() fs.FS { return w.root.FS() }

// Notices say what Open, Apply and Undo did besides their task, for a person to read.
func (w *Workspace) Notices() []string { return w.notices }

func (w *Workspace) notice(format string, args ...any) {
	w.notices = append(w.notices, fmt.Sprintf(format, args...))
}

// Read returns the file at path, or nil when nothing lies there. A link, a folder or a device at the path, or a link on
// the way to it, is an error.
func (w *Workspace) Read(path string) (*plan.Disk, error) {
	if err := validPath(path); err != nil {
		return nil, err
	}
	content, mode, err := readPlain(w.dir, path)
	switch {
	case err == nil:
		return &plan.Disk{Content: content, Mode: mode}, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	}
	return w.readSlowly(path)
}

// readSlowly walks the path folder by folder, and knows what to say of what it finds.
func (w *Workspace) readSlowly(path string) (*plan.Disk, error) {
	if err := w.plainFolders(path); err != nil {
		return nil, err
	}
	info, err := w.root.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, cause(err))
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, linkError(path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w", path, notFileError(info.Mode()))
	}
	content, err := w.root.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, cause(err))
	}
	return &plan.Disk{Content: content, Mode: info.Mode().Perm()}, nil
}

// ReadDir lists a folder; a missing folder is empty.
func (w *Workspace) ReadDir(dir string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(w.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, cause(err))
	}
	return entries, nil
}

// cause drops the operation and path that os adds, where the message around it has them.
func cause(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	var linkError *os.LinkError
	if errors.As(err, &linkError) {
		return linkError.Err
	}
	return err
}
