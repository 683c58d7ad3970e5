package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
)

// lineWriter hands on what is written to it line by line, without the line's end. One goroutine writes at a time.
type lineWriter struct {
	emit func(line []byte)
	rest []byte
}

// longestLine bounds what is kept of a line without an end.
const longestLine = 1 << 20

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		if !found {
			break
		}
		w.emit(bytes.TrimSuffix(line, []byte("\r")))
		w.rest = rest
	}
	if len(w.rest) > longestLine {
		w.flush()
	}
	return len(p), nil
}

// flush hands on a last line that has no end.
func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.emit(w.rest)
	}
	w.rest = nil
}

// painter makes log lines for people.
type painter struct {
	colour bool
	width  int // of the longest service's name
}

// Codes of ANSI colours, see ECMA-48, section 8.3.117.
const (
	red    = "31"
	yellow = "33"
	faint  = "2"
)

// names have colours of their own; neither red nor yellow, which stand for errors and warnings.
var nameColours = []string{"36", "32", "35", "34", "96", "92", "95", "94"}

func (p painter) paint(code, text string) string {
	if !p.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// prefix is the name of the i-th service, padded.
func (p painter) prefix(i int, name string) string {
	return p.paint(nameColours[i%len(nameColours)], fmt.Sprintf("%-*s |", p.width, name)) + " "
}

// repeated on every line of a service's log, or too long for a person's eye; `--log json` shows them.
var hiddenKeys = map[string]bool{
	"service": true, "version": true, "environment": true, "span_id": true, "request_id": true, "correlation_id": true, "source": true,
}

// line makes a slog JSON record short: time, level, message, then the attributes. What is not a record stays as it is.
func (p painter) line(raw []byte) string {
	fields, ok := record(raw)
	if !ok {
		return string(raw)
	}
	var clock, level, message string
	var attrs []string
	for _, f := range fields {
		switch {
		case f.key == "time":
			clock = shortTime(f.text())
		case f.key == "level":
			level = f.text()
		case f.key == "msg":
			message = f.text()
		case hiddenKeys[f.key]:
		case f.key == "trace_id":
			attrs = append(attrs, "trace="+f.text())
		default:
			attrs = append(attrs, f.key+"="+f.quoted())
		}
	}
	line := []string{p.paint(faint, clock), p.level(level), message, p.paint(faint, strings.Join(attrs, " "))}
	return strings.TrimRight(strings.Join(line, " "), " ")
}

func (p painter) level(level string) string {
	text := fmt.Sprintf("%-5s", level)
	switch {
	case strings.HasPrefix(level, "ERROR"):
		return p.paint(red, text)
	case strings.HasPrefix(level, "WARN"):
		return p.paint(yellow, text)
	}
	return text
}

func shortTime(text string) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return t.Local().Format("15:04:05.000")
}

type field struct {
	key string
	raw json.RawMessage
}

func (f field) text() string {
	var s string
	if json.Unmarshal(f.raw, &s) == nil {
		return s
	}
	return string(f.raw)
}

func (f field) quoted() string {
	if text := f.text(); !strings.ContainsAny(text, " \t\n\"") && text != "" {
		return text
	}
	return string(f.raw)
}

// record reads a JSON object with a message, keeping the order of its fields.
func record(raw []byte) (fields []field, ok bool) {
	if !bytes.HasPrefix(raw, []byte("{")) {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil, false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, false
		}
		f := field{key: fmt.Sprint(key)}
		if err := dec.Decode(&f.raw); err != nil {
			return nil, false
		}
		ok = ok || f.key == "msg"
		fields = append(fields, f)
	}
	if _, err := dec.Token(); err != nil {
		return nil, false
	}
	return fields, ok
}

// tail keeps the last lines. Safe for concurrent use.
type tail struct {
	mu    sync.Mutex
	lines []string
}

// tailLines is how many lines are shown of a service that has ended.
const tailLines = 15

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == tailLines {
		t.lines = t.lines[1:]
	}
	t.lines = append(t.lines, line)
}

// String is the lines, indented, under a heading; nothing when there are none.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		return ""
	}
	return "\n  last log lines:\n    " + strings.Join(t.lines, "\n    ")
}
