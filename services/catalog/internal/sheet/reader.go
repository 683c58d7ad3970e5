// Package sheet reads and writes rows of CSV (RFC 4180) of any size in little memory.
//
// A Reader can begin where another one ended, or was killed: State says where. It never keeps more than one row of at most MaxRow
// bytes. A longer one is reported as soon as it is too long and passed over without being kept, and that can be taken up in its middle.
package sheet

import (
	"bytes"
	"errors"
	"io"
)

// MaxRow is how many bytes a row may have, without the new line at its end.
const MaxRow = 64 << 10

// What can be wrong with a row as such.
var (
	ErrTooLong = errors.New("has more than 65536 bytes; is a quotation mark missing?")
	ErrQuote   = errors.New("has a quotation mark that neither encloses a field nor is doubled")
	ErrOpen    = errors.New("ends with the file and within quotation marks")
)

// Row is a row of a file.
type Row struct {
	Line   int64    // on which it begins, from 1
	Fields [][]byte // until the next row is read; nil with Err
	Err    error
}

// State is a place between two rows, or in the middle of one that is passed over.
type State struct {
	Offset int64 // bytes before it
	Line   int64 // that it is on, from 1
	Mode   Mode  // Between, unless it is in the middle of a row
}

// Mode is where in a row's grammar a place is.
type Mode int

// A row that is passed over can be left in any mode but Between.
const (
	Between  Mode = iota // two rows
	start                // of a field
	plain                // in a field without quotation marks
	quoted               // in a field with them
	quote                // behind one within such a field: its end, or the first of two
	returned             // behind a carriage return that follows it
	faulty               // in what follows a fault, up to the end of the line
)

// bufferSize is how much is read at a time.
const bufferSize = 32 << 10

var byteOrderMark = []byte("\xef\xbb\xbf")

// Reader reads rows.
type Reader struct {
	in   io.Reader
	data []byte // of buf, what is still to be looked at
	buf  []byte
	err  error // of in, when data is used up

	now     State // behind the last byte
	begin   State // of the row
	length  int   // of the row so far
	over    bool  // it is too long and has been reported
	fault   error
	content []byte // of its fields, one after the other
	ends    []int  // of the fields in content
	fields  [][]byte
}

// NewReader reads from in, which begins at a place that a State told; the zero State is the file's beginning.
func NewReader(in io.Reader, at State) *Reader {
	r := &Reader{in: in, buf: make([]byte, bufferSize), now: at}
	r.now.Line = max(at.Line, 1)
	if at.Mode != Between {
		r.over = true
	} else {
		r.between()
	}
	return r
}

// State is the place up to which everything has been given.
func (r *Reader) State() State {
	if r.over {
		return r.now
	}
	return r.begin
}

// Within reports whether what has been read ends in the middle of a row.
func (r *Reader) Within() bool { return r.over || r.length > 0 }

// Next gives the next row that ends in a new line. Errors are those of the source, io.EOF among them; what has been read of a row then
// is left to Finish.
func (r *Reader) Next() (Row, error) {
	for {
		for len(r.data) == 0 {
			if err := r.fill(); err != nil {
				return Row{}, err
			}
		}
		b := r.data[0]
		r.data = r.data[1:]
		if row, ok := r.take(b); ok {
			return row, nil
		}
	}
}

// Finish gives the last row of a file that does not end in a new line. Nothing can be read after it.
func (r *Reader) Finish() (row Row, ok bool) {
	switch {
	case r.over || r.length == 0:
	case r.now.Mode == quoted:
		r.fault = ErrOpen
	case r.now.Mode != faulty:
		if r.now.Mode == plain {
			r.dropReturn()
		}
		r.endField()
	}
	row, ok = r.complete()
	r.between()
	return row, ok
}

// fill reads on. At the beginning of the file it looks for a byte order mark.
func (r *Reader) fill() error {
	if r.err != nil {
		return r.err
	}
	var n int
	if r.now.Offset == 0 {
		n, r.err = io.ReadAtLeast(r.in, r.buf, len(byteOrderMark))
		if errors.Is(r.err, io.ErrUnexpectedEOF) && n < len(byteOrderMark) {
			r.err = r.short()
		}
	} else {
		n, r.err = r.in.Read(r.buf)
	}
	r.data = r.buf[:n]
	if r.now.Offset == 0 && bytes.HasPrefix(r.data, byteOrderMark) {
		r.data = r.data[len(byteOrderMark):]
		r.now.Offset = int64(len(byteOrderMark))
		r.between()
	}
	if len(r.data) == 0 {
		return r.err // nil when the source had nothing to give this time
	}
	return nil
}

// short is the error of a source that ended before a byte order mark could: io.ReadAtLeast says the same of an orderly end and of one
// that is not.
func (r *Reader) short() error {
	var one [1]byte
	_, err := r.in.Read(one[:])
	return err
}

// take goes on by a byte.
func (r *Reader) take(b byte) (Row, bool) {
	r.now.Offset++
	if b == '\n' {
		r.now.Line++
	}
	if r.step(b) {
		row, ok := r.complete()
		r.between()
		return row, ok
	}
	r.length++
	if r.length > MaxRow && !r.over {
		if r.fault == nil {
			r.fault = ErrTooLong
		}
		row, _ := r.complete()
		r.over = true
		r.content, r.ends = r.content[:0], r.ends[:0]
		return row, true
	}
	return Row{}, false
}

// step is the grammar. It reports whether the row ends with this byte.
func (r *Reader) step(b byte) (ends bool) {
	switch r.now.Mode {
	case start:
		return r.begins(b)
	case plain:
		return r.inPlain(b)
	case quoted:
		if b == '"' {
			r.now.Mode = quote
		} else {
			r.keep(b)
		}
		return false
	case quote, returned:
		return r.behindQuote(b)
	case Between, faulty: // there is no row in mode Between
	}
	return b == '\n'
}

func (r *Reader) begins(b byte) bool {
	switch b {
	case '"':
		r.now.Mode = quoted
	case ',':
		r.endField()
	case '\n':
		r.endField()
		return true
	default:
		r.now.Mode = plain
		r.keep(b)
	}
	return false
}

func (r *Reader) inPlain(b byte) bool {
	switch b {
	case ',':
		r.endField()
	case '\n':
		r.dropReturn()
		r.endField()
		return true
	case '"':
		r.fail()
	default:
		r.keep(b)
	}
	return false
}

func (r *Reader) behindQuote(b byte) bool {
	switch {
	case b == '\n':
		r.endField()
		return true
	case r.now.Mode == returned:
		r.fail()
	case b == '"':
		r.now.Mode = quoted
		r.keep(b)
	case b == ',':
		r.endField()
	case b == '\r':
		r.now.Mode = returned
	default:
		r.fail()
	}
	return false
}

// keep adds to the field, unless nobody will see it.
func (r *Reader) keep(b byte) {
	if !r.over {
		r.content = append(r.content, b)
	}
}

// dropReturn takes away the first half of the end of a line as Windows has it.
func (r *Reader) dropReturn() {
	from := 0
	if len(r.ends) > 0 {
		from = r.ends[len(r.ends)-1]
	}
	if n := len(r.content); n > from && r.content[n-1] == '\r' {
		r.content = r.content[:n-1]
		r.length--
	}
}

func (r *Reader) endField() {
	r.now.Mode = start
	if !r.over {
		r.ends = append(r.ends, len(r.content))
	}
}

func (r *Reader) fail() {
	r.now.Mode = faulty
	r.fault = ErrQuote
}

// complete gives the row that has been read, unless it has been given already or is an empty line.
func (r *Reader) complete() (Row, bool) {
	if r.over || r.length == 0 && r.fault == nil {
		return Row{}, false
	}
	row := Row{Line: r.begin.Line, Err: r.fault}
	if r.fault != nil {
		return row, true
	}
	r.fields = r.fields[:0]
	from := 0
	for _, end := range r.ends {
		r.fields = append(r.fields, r.content[from:end])
		from = end
	}
	row.Fields = r.fields
	return row, true
}

// between makes ready for a row.
func (r *Reader) between() {
	r.begin = State{Offset: r.now.Offset, Line: r.now.Line}
	r.now.Mode = start
	r.length, r.over, r.fault = 0, false, nil
	r.content, r.ends = r.content[:0], r.ends[:0]
}
