package workspace

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// disk makes every change to the file system, one step a call.
type disk struct {
	root *os.Root
	// fault is called before each step; an error takes the step's place. Tests set it.
	fault func(op, name string) error
	// unsynced leaves out the waiting for the disk, which makes no difference to what a running system sees.
	unsynced bool
}

func (d *disk) flush(f *os.File) error {
	if d.unsynced {
		return nil
	}
	return f.Sync()
}

func (d *disk) do(op, name string, step func() error) error {
	if d.fault != nil {
		if err := d.fault(op, name); err != nil {
			return &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
	return step()
}

func (d *disk) mkdir(name string, mode fs.FileMode) error {
	return d.do("mkdir", name, func() error { return d.root.Mkdir(name, mode) })
}

func (d *disk) chmod(name string, mode fs.FileMode) error {
	return d.do("chmod", name, func() error { return d.root.Chmod(name, mode) })
}

// mkdirAll makes a folder and those above it that are missing.
func (d *disk) mkdirAll(name string) error {
	if _, err := d.root.Lstat(name); err == nil || name == "." {
		return nil
	}
	if err := d.mkdirAll(path.Dir(name)); err != nil {
		return err
	}
	if err := d.mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// write makes a new file and its content durable. The mode is subject to the umask unless it is exact.
func (d *disk) write(name string, content []byte, mode fs.FileMode, exact bool) error {
	return d.do("write", name, func() error {
		f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		if err == nil && exact {
			err = f.Chmod(mode)
		}
		if err == nil {
			err = d.flush(f)
		}
		return errors.Join(err, f.Close())
	})
}

// link gives a file a second name, or copies it where that cannot be.
func (d *disk) link(from, to string, content []byte, mode fs.FileMode) error {
	err := d.do("link", to, func() error { return d.root.Link(from, to) })
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.write(to, content, mode, true)
}

func (d *disk) rename(from, to string) error {
	return d.do("rename", from, func() error { return d.root.Rename(from, to) })
}

func (d *disk) remove(name string) error {
	return d.do("remove", name, func() error { return d.root.Remove(name) })
}

// removeEmpty removes a folder that has become empty, and leaves one that has not.
func (d *disk) removeEmpty(name string) error {
	err := d.remove(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return nil
	}
	return err
}

func (d *disk) removeAll(name string) error {
	return d.do("removeAll", name, func() error { return d.root.RemoveAll(name) })
}

// sync makes the names in a folder durable; a missing folder needs nothing.
func (d *disk) sync(dir string) error {
	return d.do("sync", dir, func() error {
		f, err := d.root.Open(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(d.flush(f), f.Close())
	})
}

func (d *disk) exists(name string) bool {
	_, err := d.root.Lstat(name)
	return err == nil
}
