package spec

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProblemsArePrintedSortedAndAsJSON(t *testing.T) {
	var problems Problems
	if problems.Err() != nil {
		t.Error("no problems are an error")
	}
	problems.Add(Position{"b.yaml", 2, 1}, "first\nsecond", "%d is wrong", 7)
	problems.Add(Position{"a.yaml", 3, 4}, "", "also wrong")
	problems.Add(Position{"b.yaml", 1, 9}, "do", "wrong")
	problems.Add(Position{File: "c.yaml"}, "", "nowhere in it")
	err := problems.Err()
	want := "a.yaml:3:4: also wrong\nb.yaml:1:9: wrong\n    do\nb.yaml:2:1: 7 is wrong\n    first\n    second\nc.yaml: nowhere in it"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	var list Problems
	if !errors.As(err, &list) {
		t.Fatal("the error is no Problems")
	}
	raw, err := json.Marshal(list[:2])
	if err != nil {
		t.Fatal(err)
	}
	if want := `[{"file":"a.yaml","line":3,"column":4,"message":"also wrong"},{"file":"b.yaml","line":1,"column":9,"message":"wrong","remedy":"do"}]`; string(raw) != want {
		t.Errorf("JSON is %s", raw)
	}
}

func TestNearest(t *testing.T) {
	for _, test := range []struct{ word, want string }{
		{"prot", "port"}, {"Timeout", "timeout"}, {"tiemout", "timeout"}, {"contarct", "contract"}, {"x", ""}, {"", ""}, {"database", ""},
	} {
		if got := nearest(test.word, []string{"port", "contract", "timeout"}); got != test.want {
			t.Errorf("%s is taken for %q, want %q", test.word, got, test.want)
		}
	}
	if got := DidYouMean("x", "there are", nil); got != "there are: none" {
		t.Errorf("without candidates: %s", got)
	}
}

func TestQuantitiesAreCompared(t *testing.T) {
	for _, test := range []struct {
		request, limit string
		fits           bool
	}{
		{"50m", "500m", true}, {"1", "500m", false}, {"0.5", "500m", true}, {"1000m", "1", true},
		{"64Mi", "128Mi", true}, {"1Gi", "1023Mi", false}, {"1G", "1Gi", true}, {"1Ki", "1k", false}, {"1048576", "1Mi", true},
	} {
		if got := (Quantity{test.request, test.limit}).Fits(); got != test.fits {
			t.Errorf("%s within %s: %v", test.request, test.limit, got)
		}
	}
}

func TestPlacesCountCharacters(t *testing.T) {
	text := bom + strings.Repeat("ä€😀x", 3000) + "\n" + strings.Repeat("ü\r\n", 2000)
	places := locate("a.json", []byte(text))
	line, column := 1, 1
	for offset, r := range strings.TrimPrefix(text, bom) {
		if got, want := places.at(offset+len(bom)), (Position{"a.json", line, column}); got != want {
			t.Fatalf("offset %d is at %v, want %v", offset, got, want)
		}
		if column++; r == '\n' {
			line, column = line+1, 1
		}
	}
}
