package flag

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/open-feature/go-sdk/openfeature"
)

// settle is how long a folder must be quiet before the file is read: whoever writes it is then done.
const settle = 50 * time.Millisecond

// Run follows the file until ctx ends, and gives nil.
//
// It watches the folder, since a file is replaced rather than changed: an editor renames a new one, and Kubernetes exchanges the link
// ..data that the file is reached by. Where nothing can be watched, it reads the file every Options.Poll.
func (f *Flags) Run(ctx context.Context) error {
	if f.opt.File == "" {
		<-ctx.Done()
		return nil
	}
	var heard <-chan fsnotify.Event
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		defer watcher.Close()
		if err = watcher.Add(filepath.Dir(f.opt.File)); err == nil {
			heard = watcher.Events
		}
	}
	if err != nil {
		f.opt.Log.WarnContext(ctx, "the folder of the flags cannot be watched: they are read now and then", "poll", f.opt.Poll.String(), "error", err)
	}
	poll := time.NewTicker(f.opt.Poll)
	defer poll.Stop()
	f.reload(ctx) // it may have changed since it was opened
	var quiet <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-heard:
			if !ok {
				heard = nil
			}
			quiet = time.After(settle)
		case <-quiet:
			quiet = nil
			f.reload(ctx)
		case <-poll.C:
			f.reload(ctx)
		}
	}
}

// reload puts the file in force if it has changed and is right.
func (f *Flags) reload(ctx context.Context) {
	f.reading.Lock()
	defer f.reading.Unlock()
	old := f.current.Load()
	next, err := f.read()
	switch {
	case err != nil:
		f.refuse(ctx, old, next, err)
		return
	case next.text == old.text:
		if old.err == "" {
			return
		}
		next = &state{text: old.text, flags: old.flags, loaded: old.loaded} // it is again as it was
	}
	f.rejected = ""
	f.current.Store(next)
	f.stale.Set(0)
	f.reloads.WithLabelValues("ok").Inc()
	f.opt.Log.InfoContext(ctx, "the flags have changed", "file", f.opt.File, "flags", len(next.flags))
	event := openfeature.Event{ProviderName: "trellis", EventType: openfeature.ProviderConfigChange}
	event.Message = "the file was read anew"
	select {
	case f.events <- event:
	default: // one is waiting that tells the same
	}
}

// refuse keeps the old flags, and says so once for each fault.
func (f *Flags) refuse(ctx context.Context, old, next *state, err error) {
	if f.stale.Set(1); old.err == err.Error() && f.rejected == next.text {
		return
	}
	f.rejected = next.text
	f.current.Store(&state{text: old.text, flags: old.flags, loaded: old.loaded, err: err.Error()})
	f.reloads.WithLabelValues("error").Inc()
	f.opt.Log.ErrorContext(ctx, "the new flags cannot be used: the old ones stay in force", "error", err)
}
