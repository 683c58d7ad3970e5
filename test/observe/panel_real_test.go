//go:build real

package observe

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/trellis-mesh/trellis/internal/render/dashboard"
)

// found is what a query has given.
type found struct {
	dashboard.Query

	series, points, numbers int // numbers are the points that are not NaN
	err                     error
}

// panelsShowSomething asks each query of each dashboard on disk, with its variables filled in, for what was so in a time, and wants data of
// each. Those that need the mesh are listed: they are asked on a cluster.
func (w *watched) panelsShowSomething(t *testing.T, since, until time.Time) {
	queries, err := dashboard.Queries(os.DirFS(root), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(queries) < 100 {
		t.Errorf("only %d queries are on the dashboards", len(queries))
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  dashboard\tpanel\tquery\tseries\tpoints")
	var inMesh []string
	asked := 0
	for _, q := range queries {
		if needs := q.Needs(); needs != "" {
			inMesh = append(inMesh, fmt.Sprintf("%s (%s)", q, needs))
			continue
		}
		asked++
		f := w.find(t.Context(), q, since, until)
		fmt.Fprintf(table, "  %s\t%s\t%s\t%d\t%d\n", q.Dashboard, q.Panel, q.RefID, f.series, f.points)
		switch {
		case f.err != nil:
			t.Errorf("%s: %v", q, f.err)
		case f.points == 0:
			t.Errorf("%s shows nothing: %s", q, q.Expr)
		case f.numbers == 0:
			t.Errorf("%s shows nothing but NaN: %s", q, q.Expr)
		}
	}
	_ = table.Flush()
	slices.Sort(inMesh)
	for _, name := range slices.Compact(inMesh) {
		fmt.Fprintf(&text, "  only in a cluster: %s\n", name)
	}
	show(t, fmt.Sprintf("Panels: %d queries with data, and %d that only a cluster has data for", asked, len(inMesh)), text.String())
}

// find asks Prometheus or Loki.
func (w *watched) find(ctx context.Context, q dashboard.Query, since, until time.Time) (f found) {
	f.Query = q
	stamp := func(at time.Time) string { return strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64) }
	query := url.Values{"query": {q.Expr}, "start": {stamp(since)}, "end": {stamp(until)}, "step": {"2"}, "time": {stamp(until)}}
	address := w.prometheus.URL + "/api/v1/query_range"
	if q.Instant {
		address = w.prometheus.URL + "/api/v1/query"
	}
	if q.Source == "loki" {
		address = w.loki.URL + "/loki/api/v1/query_range"
	}
	var answer struct {
		Data struct {
			Result []struct {
				Value  []any
				Values [][]any
			}
		}
	}
	if f.err = ask(ctx, address, query, &answer); f.err != nil {
		return f
	}
	f.series = len(answer.Data.Result)
	for _, series := range answer.Data.Result {
		points := series.Values
		if series.Value != nil {
			points = append(points, series.Value)
		}
		for _, point := range points {
			f.points++
			if text, _ := point[1].(string); text != "NaN" {
				f.numbers++
			}
		}
	}
	return f
}
