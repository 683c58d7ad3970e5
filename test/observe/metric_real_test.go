//go:build real

package observe

import (
	"fmt"
	"net/url"
	"strconv"
	"testing"
)

// sample is a series of a query's answer, with its value now.
type sample struct {
	Metric map[string]string
	Value  [2]any
}

func (s sample) value() float64 {
	text, _ := s.Value[1].(string)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(fmt.Sprintf("%v is no sample", s)) // Prometheus's own format
	}
	return n
}

// query asks Prometheus.
func (w *watched) query(t *testing.T, expr string) []sample {
	t.Helper()
	var answer struct{ Data struct{ Result []sample } }
	if err := ask(t.Context(), w.prometheus.URL+"/api/v1/query", url.Values{"query": {expr}}, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Data.Result
}
