package telemetry

import (
	"io"
	"sync"
	"time"
)

// LineBuffer collects lines and writes them together, at most after a delay: at thousands of lines a second, one system
// call a line is what logging costs most. A program that is killed loses the lines of that delay; Handler flushes
// warnings and errors at once.
type LineBuffer struct {
	w     io.Writer
	delay time.Duration

	mu     sync.Mutex
	lines  []byte
	timer  *time.Timer // nil while nothing is held back
	closed bool

	out   sync.Mutex // held while writing, so that lines keep their order; taken before mu
	spare []byte
}

// fullBuffer is the size at which lines are written without waiting for the delay.
const fullBuffer = 64 << 10

// NewLineBuffer makes a buffer before w.
func NewLineBuffer(w io.Writer, delay time.Duration) *LineBuffer {
	return &LineBuffer{w: w, delay: delay}
}

// Write takes a line. It blocks only while the buffer is full and w is slow.
func (b *LineBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	b.lines = append(b.lines, line...)
	full := b.closed || len(b.lines) >= fullBuffer
	if b.timer == nil && !full {
		b.timer = time.AfterFunc(b.delay, func() { _ = b.Flush() }) // nobody is there to be told
	}
	b.mu.Unlock()
	if full {
		return len(line), b.Flush()
	}
	return len(line), nil
}

// Close writes the lines that are held back and holds none back from then on.
func (b *LineBuffer) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return b.Flush()
}

// Flush writes the lines that are held back.
func (b *LineBuffer) Flush() error {
	b.out.Lock()
	defer b.out.Unlock()
	b.mu.Lock()
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	lines := b.lines
	b.lines = b.spare[:0]
	b.mu.Unlock()
	b.spare = nil
	if len(lines) == 0 {
		b.spare = lines
		return nil
	}
	_, err := b.w.Write(lines)
	if cap(lines) <= 2*fullBuffer {
		b.spare = lines
	}
	return err
}
