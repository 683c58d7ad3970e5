package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// result is a row that can be kept.
type result struct {
	Line   int64
	Fields []string
	Err    error
}

// readAll reads a whole file, from pieces as source gives them.
func readAll(t testing.TB, source io.Reader) []result {
	t.Helper()
	r := NewReader(source, State{})
	var all []result
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, kept(row))
	}
	if row, ok := r.Finish(); ok {
		all = append(all, kept(row))
	}
	return all
}

func kept(row Row) result {
	k := result{Line: row.Line, Err: row.Err}
	for _, field := range row.Fields {
		k.Fields = append(k.Fields, string(field))
	}
	return k
}

// readInPieces begins anew again and again, as after a crash, each time where the reader before says; a piece shorter than a row
// is repeated with more.
func readInPieces(t testing.TB, data []byte, size int) []result {
	t.Helper()
	var all []result
	var at State
	for length := size; ; {
		end := min(int(at.Offset)+length, len(data))
		r := NewReader(bytes.NewReader(data[at.Offset:end]), at)
		for {
			row, err := r.Next()
			if err != nil {
				break
			}
			all = append(all, kept(row))
		}
		if end == len(data) {
			if row, ok := r.Finish(); ok {
				all = append(all, kept(row))
			}
			return all
		}
		length += size
		if r.State() != at {
			at, length = r.State(), size
		}
	}
}

func TestRowsAreRead(t *testing.T) {
	long := strings.Repeat("x", MaxRow)
	for name, test := range map[string]struct {
		file string
		want []result
	}{
		"nothing":                      {"", nil},
		"empty lines":                  {"\n\r\n\n", nil},
		"one row":                      {"a,b\n", []result{{1, []string{"a", "b"}, nil}}},
		"no new line at the end":       {"a,b", []result{{1, []string{"a", "b"}, nil}}},
		"an empty field at the end":    {"a,", []result{{1, []string{"a", ""}, nil}}},
		"empty fields":                 {",,\n", []result{{1, []string{"", "", ""}, nil}}},
		"an empty field in quotes":     {"\"\"\n", []result{{1, []string{""}, nil}}},
		"lines of Windows":             {"a,b\r\n\"c\",\"d\"\r\n", []result{{1, []string{"a", "b"}, nil}, {2, []string{"c", "d"}, nil}}},
		"a carriage return at the end": {"a\r", []result{{1, []string{"a"}, nil}}},
		"a carriage return within":     {"a\rb\n", []result{{1, []string{"a\rb"}, nil}}},
		"a byte order mark":            {"\xef\xbb\xbf\"a\",b\n", []result{{1, []string{"a", "b"}, nil}}},
		"a byte order mark alone":      {"\xef\xbb\xbf", nil},
		"a byte order mark further on": {"a\n\xef\xbb\xbfb\n", []result{{1, []string{"a"}, nil}, {2, []string{"\xef\xbb\xbfb"}, nil}}},
		"two bytes":                    {"ab", []result{{1, []string{"ab"}, nil}}},
		"new lines in quotes":          {"\"a\nb\r\nc\",d\ne\n", []result{{1, []string{"a\nb\r\nc", "d"}, nil}, {4, []string{"e"}, nil}}},
		"quotes in quotes":             {"\"a\"\"b,\"\"\",c\n", []result{{1, []string{"a\"b,\"", "c"}, nil}}},
		"a quote in a field":           {"a\"b,c\nd\n", []result{{1, nil, ErrQuote}, {2, []string{"d"}, nil}}},
		"something behind quotes":      {"\"a\"b,\"c\nd\n", []result{{1, nil, ErrQuote}, {2, []string{"d"}, nil}}},
		"a return behind quotes":       {"\"a\"\rb\nd\n", []result{{1, nil, ErrQuote}, {2, []string{"d"}, nil}}},
		"quotes that stay open":        {"a\n\"b\nc\n", []result{{1, []string{"a"}, nil}, {2, nil, ErrOpen}}},
		"as long as can be":            {long + "\nb\n", []result{{1, []string{long}, nil}, {2, []string{"b"}, nil}}},
		"too long":                     {long + "x\nb\n", []result{{1, nil, ErrTooLong}, {2, []string{"b"}, nil}}},
		"too long, and the last":       {long + "xyz", []result{{1, nil, ErrTooLong}}},
		"too long, with new lines":     {"\"" + strings.Repeat("x\n\"\"", MaxRow) + "\"\nb\n", []result{{1, nil, ErrTooLong}, {MaxRow + 2, []string{"b"}, nil}}},
		"a quote in what is too long":  {long + "x\"\"y\nb\n", []result{{1, nil, ErrTooLong}, {2, []string{"b"}, nil}}},
		"a fault that is too long":     {"a\"" + long + "x\nb\n", []result{{1, nil, ErrQuote}, {2, []string{"b"}, nil}}},
		"no text at all":               {"\x00\xff,\x80\n", []result{{1, []string{"\x00\xff", "\x80"}, nil}}},
	} {
		t.Run(name, func(t *testing.T) {
			for how, read := range map[string]func() []result{
				"at once":              func() []result { return readAll(t, strings.NewReader(test.file)) },
				"byte by byte":         func() []result { return readAll(t, iotest.OneByteReader(strings.NewReader(test.file))) },
				"with the end in it":   func() []result { return readAll(t, iotest.DataErrReader(strings.NewReader(test.file))) },
				"beginning anew":       func() []result { return readInPieces(t, []byte(test.file), max(7, len(test.file)/50)) },
				"beginning anew, late": func() []result { return readInPieces(t, []byte(test.file), 100_003) },
			} {
				if diff := cmp.Diff(test.want, read(), cmpopts.EquateErrors()); diff != "" {
					t.Errorf("%s: %s", how, diff)
				}
			}
		})
	}
}

func TestSourcesErrorIsGivenAndWhatCameBeforeItKept(t *testing.T) {
	cut := errors.New("cut")
	r := NewReader(io.MultiReader(strings.NewReader("a\nb\nc"), iotest.ErrReader(cut)), State{})
	for _, want := range []string{"a", "b"} {
		row, err := r.Next()
		if err != nil || string(row.Fields[0]) != want {
			t.Fatalf("row %v, error %v", row, err)
		}
	}
	if _, err := r.Next(); !errors.Is(err, cut) {
		t.Errorf("error %v", err)
	}
	if want := (State{Offset: 4, Line: 3}); r.State() != want {
		t.Errorf("state %+v, want %+v", r.State(), want)
	}
}

func TestSourceThatIsCutInItsFirstBytes(t *testing.T) {
	cut := errors.New("cut")
	r := NewReader(io.MultiReader(strings.NewReader("a"), iotest.ErrReader(cut)), State{})
	if _, err := r.Next(); !errors.Is(err, cut) {
		t.Errorf("error %v", err)
	}
}

func TestAReaderKeepsNoMoreThanARow(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("\""), io.LimitReader(letters{}, 16<<20), strings.NewReader("\"\nend\n"))
	r := NewReader(endless, State{})
	row, err := r.Next()
	if err != nil || !errors.Is(row.Err, ErrTooLong) {
		t.Fatalf("row %v, error %v", row, err)
	}
	row, err = r.Next()
	if err != nil || row.Line != 2 || string(row.Fields[0]) != "end" {
		t.Fatalf("row %v, error %v", row, err)
	}
	if kept := cap(r.content) + cap(r.buf); kept > 2*(MaxRow+bufferSize) {
		t.Errorf("%d bytes are kept", kept)
	}
}

// letters is a source without an end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestGuardIsUndone(t *testing.T) {
	for text, want := range map[string]string{
		"":          "",
		"tea":       "tea",
		"'":         "'",
		"'tea":      "'tea",
		"=1+1":      "'=1+1",
		"+49":       "'+49",
		"-5":        "'-5",
		"@sum":      "'@sum",
		"\ttab":     "'\ttab",
		"\rreturn":  "'\rreturn",
		"＝1":        "'＝1",
		"'=1":       "''=1",
		"''=1":      "'''=1",
		"a=1":       "a=1",
		"\xff=":     "\xff=",
		" =1":       " =1",
		"'\xff\xfe": "'\xff\xfe",
	} {
		if got := Guard(text); got != want || Unguard(got) != text {
			t.Errorf("Guard(%q) = %q, want %q; and back %q", text, got, want, Unguard(got))
		}
	}
	if got := Unguard("=1+1"); got != "=1+1" {
		t.Errorf("Unguard takes away what nobody put there: %q", got)
	}
}

// oracle reads a whole file, simply: line by line, with regard to whether quotation marks are open. It is slow and keeps everything.
func oracle(file string) (all []result) {
	file = strings.TrimPrefix(file, "\xef\xbb\xbf")
	line := int64(1)
	for file != "" {
		begin := line
		row, fields, err := "", []string{}, error(nil)
		for ended := false; !ended; { // field by field
			field := ""
			switch {
			case strings.HasPrefix(file, `"`):
				rest := file[1:]
				for {
					i := strings.IndexByte(rest, '"')
					if i < 0 {
						err, field, rest = ErrOpen, field+rest, ""
						break
					}
					field, rest = field+rest[:i], rest[i+1:]
					if !strings.HasPrefix(rest, `"`) {
						break
					}
					field, rest = field+`"`, rest[1:]
				}
				row, file = row+file[:len(file)-len(rest)], rest
			default:
				i := strings.IndexAny(file, "\",\n")
				if i < 0 {
					i = len(file)
				}
				row, field, file = row+file[:i], file[:i], file[i:]
				if file == "" || file[0] == '\n' {
					field = strings.TrimSuffix(field, "\r")
				}
			}
			fields = append(fields, field)
			behind := file
			if strings.HasSuffix(row, `"`) && (behind == "\r" || strings.HasPrefix(behind, "\r\n")) {
				behind, row = behind[1:], row+"\r"
			}
			switch {
			case behind == "":
				file, ended = "", true
			case behind[0] == '\n':
				file, ended = behind[1:], true
			case behind[0] == ',':
				row, file = row+",", behind[1:]
			default: // the rest of the line is lost
				rest, after, _ := strings.Cut(behind, "\n")
				row, file, err, ended = row+rest, after, ErrQuote, true
			}
		}
		line = begin + int64(strings.Count(row, "\n")) + 1
		switch {
		case len(row) > MaxRow:
			// A fault within the first bytes goes before the length; it is one if what was kept of the row has it, too.
			if err == nil || !slices.ContainsFunc(oracle(row[:MaxRow]), func(r result) bool { return errors.Is(r.Err, ErrQuote) }) {
				err = ErrTooLong
			}
			all = append(all, result{Line: begin, Err: err})
		case err != nil:
			all = append(all, result{Line: begin, Err: err})
		case row != "" && row != "\r":
			all = append(all, result{Line: begin, Fields: fields})
		}
	}
	return all
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"a,b\n", "\"a\"\"\nb\",c\r\n\n\"d\"x\ne", "\xef\xbb\xbfa\n", "\"a\"\r", "\"a\"\r\n", "a\r\r\n", "\"", "\"\"\"", ",", "a\"\nb", "\r", "\"\r\n\"",
	} {
		f.Add(seed, 3)
	}
	f.Add(strings.Repeat("x,", MaxRow/2)+"y\n"+"z\n", 1000)
	f.Add("\""+strings.Repeat("\n", MaxRow)+"\"\nz\n", 1000)
	f.Fuzz(func(t *testing.T, file string, size int) {
		want := oracle(file)
		equal := cmp.Options{cmpopts.EquateErrors(), cmpopts.EquateEmpty()}
		if diff := cmp.Diff(want, readAll(t, strings.NewReader(file)), equal); diff != "" {
			t.Errorf("at once: %s", diff)
		}
		if size = 1 + max(size, 0)%1000; len(file)/size < 2000 {
			if diff := cmp.Diff(want, readInPieces(t, []byte(file), size), equal); diff != "" {
				t.Errorf("in pieces of %d: %s", size, diff)
			}
		}
		sameAsTheStandardLibrary(t, file, want)
	})
}

// sameAsTheStandardLibrary compares with encoding/csv where that takes the whole file. It takes \r\n for \n within quotes, and no
// notice of byte order marks.
func sameAsTheStandardLibrary(t *testing.T, file string, got []result) {
	t.Helper()
	if strings.Contains(file, "\r") || strings.HasPrefix(file, "\xef\xbb\xbf") || len(file) > MaxRow {
		return
	}
	r := csv.NewReader(strings.NewReader(file))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		return
	}
	var fields [][]string
	for _, row := range got {
		if row.Err != nil {
			t.Errorf("line %d: %v, and the standard library takes it", row.Line, row.Err)
		}
		fields = append(fields, row.Fields)
	}
	if diff := cmp.Diff(rows, fields, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkReader(b *testing.B) {
	row := fmt.Sprintf("sku,\"A name, with \"\"quotes\"\"\",%s,12.50,EUR\n", strings.Repeat("a description ", 60))
	file := bytes.Repeat([]byte(row), 10_000)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(bytes.NewReader(file), State{})
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
