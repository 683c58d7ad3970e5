package local

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinesForPeople(t *testing.T) {
	tests := map[string]struct{ raw, want string }{
		"not json":        {"panic: boom", "panic: boom"},
		"json, no record": {`{"a":1}`, `{"a":1}`},
		"cut off":         {`{"msg":"x"`, `{"msg":"x"`},
		"plain":           {`{"level":"INFO","msg":"ready"}`, " INFO  ready"},
		"attributes keep their order": {
			`{"level":"WARN","msg":"slow","b":2,"a":"x y","service":"s","trace_id":"abc","o":{"p":1},"e":""}`,
			`WARN  slow b=2 a="x y" trace=abc o={"p":1} e=""`,
		},
		"a time that is none": {`{"time":"soon","level":"ERROR","msg":"no"}`, "soon ERROR no"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := strings.TrimSpace(painter{}.line([]byte(tt.raw)))
			if diff := cmp.Diff(strings.TrimSpace(tt.want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := (painter{colour: true, width: 6}).prefix(0, "users"); got != "\x1b[36musers  |\x1b[0m " {
		t.Errorf("prefix: %q", got)
	}
}

func TestLineWriterJoinsWhatComesInPieces(t *testing.T) {
	var got []string
	w := &lineWriter{emit: func(line []byte) { got = append(got, string(line)) }}
	for _, piece := range []string{"a", "b\r\nc\n\nd", ""} {
		if _, err := w.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	w.flush()
	if diff := cmp.Diff([]string{"ab", "c", "", "d"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestStatusLineStaysBelowTheLogs(t *testing.T) {
	var out bytes.Buffer
	c := &console{out: &out, logs: &out, tty: true}
	c.show("building %d", 1)
	c.log([]byte("one"))
	c.show("")
	c.report("two\n")
	want := clearLine + "building 1" + clearLine + "one\nbuilding 1" + clearLine + "two\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
