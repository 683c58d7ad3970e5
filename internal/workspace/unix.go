//go:build unix

package workspace

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// tryLock takes the lock of an open file, which belongs to all processes that have this file open and ends with the last
// of them.
func tryLock(f *os.File) (taken bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// Exclusive opens a file, and makes it, as a lock that no other process has. It is freed when the file is closed, or the process
// ends in whatever way; a nil file without an error says that another process has it.
func Exclusive(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	taken, err := tryLock(f)
	if err != nil || !taken {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// detach gives a process a session of its own, out of reach of signals to ours and of the terminal.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func device(info fs.FileInfo) uint64 {
	if stat, known := info.Sys().(*syscall.Stat_t); known {
		return uint64(stat.Dev) //nolint:unconvert // the type differs between systems
	}
	return 0
}

// readOnly reports whether its owner protected a file or folder, or we may not write it. A superuser may write
// everything, and is held to the owner's wish all the same.
func readOnly(root, name string, mode fs.FileMode) bool {
	const writable = 0x2 // W_OK
	return mode&0o200 == 0 || syscall.Access(filepath.Join(root, filepath.FromSlash(name)), writable) != nil
}
