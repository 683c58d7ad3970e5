package workspace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

const lockFile = house + "/lock"

// LockedError says that another command is writing.
type LockedError struct {
	PID     int // 0 when it is not known
	Command string
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("another command is writing to this platform: %q, process %d; wait until it is done and try again", e.Command, e.PID)
}

// lock takes the platform's lock, and waits a while for a command that is just finishing. Closing the file frees it; a
// process that was killed frees it too, so a lock is never stale.
func (w *Workspace) lock(ctx context.Context, command string, wait time.Duration) (*os.File, error) {
	f, err := w.root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the platform: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	taken, err := tryLock(f)
	for !taken && err == nil {
		select {
		case <-ctx.Done():
			return nil, errors.Join(holder(f), f.Close())
		case <-time.After(2 * time.Millisecond):
			taken, err = tryLock(f)
		}
	}
	if err == nil {
		err = inscribe(f, command)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the platform: %w", err), f.Close())
	}
	return f, nil
}

func inscribe(f *os.File, command string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+" "+command+"\n"), 0)
	return err
}

func holder(f *os.File) error {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	if err != nil {
		return &LockedError{}
	}
	number, command, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		pid = 0
	}
	return &LockedError{PID: pid, Command: command}
}

// settle makes sure that the house is there and ignores itself in git.
func (w *Workspace) settle() error {
	info, err := w.root.Lstat(house)
	switch {
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		return linkError(house)
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s is a file, but scaffold keeps its folder there; move it away", house)
	}
	if err := w.disk.mkdirAll(house); err != nil {
		return fmt.Errorf("make %s: %w", house, cause(err))
	}
	ignore := path.Join(house, ".gitignore")
	if w.disk.exists(ignore) {
		return nil
	}
	if err := w.disk.write(ignore, []byte("*\n"), 0o644, false); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s: %w", house, cause(err))
	}
	return nil
}
