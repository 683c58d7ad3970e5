package local

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// console writes whole lines from many goroutines. On a terminal it keeps a status line below them that updates itself.
type console struct {
	mu        sync.Mutex
	out, logs io.Writer
	tty       bool
	status    string
}

const clearLine = "\r\x1b[K"

// report writes progress or a report, which may be several lines.
func (c *console) report(format string, args ...any) {
	c.write(c.out, []byte(fmt.Sprintf(format, args...)))
}

// log writes one line of a service's log.
func (c *console) log(line []byte) { c.write(c.logs, line) }

func (c *console) write(w io.Writer, text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status != "" {
		_, _ = io.WriteString(c.out, clearLine)
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		text = append(bytes.Clone(text), '\n')
	}
	_, _ = w.Write(text)
	if c.status != "" {
		_, _ = io.WriteString(c.out, c.status)
	}
}

// show replaces the status line; an empty text takes it away. Without a terminal there is none.
func (c *console) show(format string, args ...any) {
	if !c.tty {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	const widest = 79 // a line that wraps can't be cleared
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	if runes := []rune(text); len(runes) > widest {
		text = string(runes[:widest-1]) + "…"
	}
	if text == c.status {
		return
	}
	_, _ = io.WriteString(c.out, clearLine+text)
	c.status = text
}
