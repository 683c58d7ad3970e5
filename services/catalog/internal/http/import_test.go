package http

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/catalog/internal/imports"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
	"github.com/trellis-mesh/trellis/services/catalog/migrations"
)

const head = "sku,name,description,price,currency\n"

// serveImports is the API on a database.
func serveImports(t *testing.T) (http.Handler, *store.Store) {
	t.Helper()
	s := store.New(databasetest.New(t, migrations.FS), nil)
	return serve(t, Deps{Store: s, Reader: s, Imports: imports.New(s)}), s
}

func begin(t *testing.T, h http.Handler) string {
	t.Helper()
	var begun api.Import
	call(t, h, http.MethodPost, "/v1/imports", "", http.StatusCreated, &begun)
	if begun.Status != "open" || begun.Offset != 0 || begun.Lines != 0 {
		t.Errorf("begun %+v", begun)
	}
	return begun.ID
}

// upload sends a piece. last is the header Upload-Complete.
func upload(t *testing.T, h http.Handler, id string, offset int64, last string, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/v1/imports/"+id, body)
	r.Header.Set("Content-Type", "text/csv")
	r.Header.Set("Upload-Offset", fmt.Sprint(offset))
	if last != "" {
		r.Header.Set("Upload-Complete", last)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func progress(t *testing.T, h http.Handler, id string) api.Import {
	t.Helper()
	var found api.Import
	call(t, h, http.MethodGet, "/v1/imports/"+id, "", http.StatusOK, &found)
	return found
}

func TestFileIsImported(t *testing.T) {
	h, _ := serveImports(t)
	id := begin(t, h)
	file := head + "tea,Tea,\"Green,\nfresh\",12.50,EUR\n,No sku,,1,EUR\ncoffee,Coffee,,9,EUR"
	w := upload(t, h, id, 0, "?1", strings.NewReader(file))
	done := decode[api.Import](t, w.Body.Bytes())
	want := api.Import{
		ID: id, Status: "complete", Offset: int64(len(file)), Lines: 4, Imported: 2, Failed: 1, CreatedAt: done.CreatedAt, UpdatedAt: done.UpdatedAt,
	}
	if diff := cmp.Diff(want, done); w.Code != http.StatusOK || diff != "" || w.Header().Get("Upload-Offset") != fmt.Sprint(len(file)) {
		t.Errorf("status %d, headers %v: %s", w.Code, w.Header(), diff)
	}
	if diff := cmp.Diff(want, progress(t, h, id)); diff != "" {
		t.Error(diff)
	}
	var page api.ProductPage
	call(t, h, http.MethodGet, "/v1/products", "", http.StatusOK, &page)
	var got []string
	for _, p := range page.Items {
		got = append(got, fmt.Sprint(p.Sku, "|", p.Name, "|", p.Description, "|", p.Price, "|", p.Version))
	}
	if diff := cmp.Diff([]string{"tea|Tea|Green,\nfresh|{12.50 EUR}|1", "coffee|Coffee||{9 EUR}|1"}, got); diff != "" {
		t.Error(diff)
	}
	var faults api.ImportErrorPage
	call(t, h, http.MethodGet, "/v1/imports/"+id+"/errors", "", http.StatusOK, &faults)
	column := "sku"
	if diff := cmp.Diff(api.ImportErrorPage{Items: []api.ImportError{{Line: 4, Column: &column, Detail: "is empty"}}}, faults); diff != "" {
		t.Error(diff)
	}
}

func TestUploadGoesOnWhereTheImportIs(t *testing.T) {
	h, _ := serveImports(t)
	id := begin(t, h)
	first := head + "tea,Tea,,1,EUR\n"
	rest := "coffee,Coffee,,2,EUR\n"
	w := upload(t, h, id, 0, "?0", strings.NewReader(first+rest[:5])) // whose last row is not whole
	if at := decode[api.Import](t, w.Body.Bytes()); w.Code != http.StatusOK || at.Offset != int64(len(first)) || at.Status != "open" {
		t.Fatalf("status %d, %+v", w.Code, at)
	}
	for _, wrong := range []int64{0, int64(len(first)) + 5, int64(len(first)) - 1} {
		w := upload(t, h, id, wrong, "", strings.NewReader(rest))
		refused := decode[problem.Problem](t, w.Body.Bytes())
		if w.Code != http.StatusConflict || refused.Code != "offset_wrong" || w.Header().Get("Upload-Offset") != fmt.Sprint(len(first)) {
			t.Errorf("from %d: status %d %s, headers %v", wrong, w.Code, refused.Code, w.Header())
		}
	}
	w = upload(t, h, id, int64(len(first)), "?1", strings.NewReader(rest))
	if at := decode[api.Import](t, w.Body.Bytes()); at.Status != "complete" || at.Imported != 2 {
		t.Errorf("%+v", at)
	}
	w = upload(t, h, id, int64(len(first)+len(rest)), "?1", strings.NewReader(rest))
	if refused := decode[problem.Problem](t, w.Body.Bytes()); w.Code != http.StatusConflict || refused.Code != "import_complete" {
		t.Errorf("status %d %s", w.Code, refused.Code)
	}
}

func TestUploadThatIsCutKeepsItsWholeRows(t *testing.T) {
	h, _ := serveImports(t)
	id := begin(t, h)
	whole := head + "tea,Tea,,1,EUR\n"
	body := io.MultiReader(strings.NewReader(whole+"coff"), iotest.ErrReader(errors.New("cut")))
	if w := upload(t, h, id, 0, "?1", body); w.Code != http.StatusBadRequest {
		t.Errorf("status %d", w.Code)
	}
	if at := progress(t, h, id); at.Offset != int64(len(whole)) || at.Imported != 1 || at.Status != "open" {
		t.Errorf("%+v", at)
	}
}

func TestUploadRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		last, file, code string
	}{
		"no file":                {"?1", "", "csv_header_invalid"},
		"a column that is not":   {"?1", "sku,name,description,price,colour\n", "csv_header_invalid"},
		"a column too few":       {"?1", "sku,name,price,currency\n", "csv_header_invalid"},
		"a column twice":         {"?1", "sku,name,description,price,price,currency\n", "csv_header_invalid"},
		"a first row of quotes":  {"?1", "\"sku\n", "csv_header_invalid"},
		"a piece without an end": {"?0", "sku,name", "piece_too_small"},
		"something else":         {"?2", head, "invalid_parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := serveImports(t)
			id := begin(t, h)
			w := upload(t, h, id, 0, test.last, strings.NewReader(test.file))
			if refused := decode[problem.Problem](t, w.Body.Bytes()); refused.Code != test.code {
				t.Errorf("status %d, %+v", w.Code, refused)
			}
			if at := progress(t, h, id); at.Offset != 0 || at.Status != "open" {
				t.Errorf("something was kept: %+v", at)
			}
			other := strings.Replace(head, "sku,name", "name,sku", 1) + "Tea,tea,,1,EUR\n" // another file may still come
			if w := upload(t, h, id, 0, "?1", strings.NewReader(other)); w.Code != http.StatusOK {
				t.Errorf("status %d, %s", w.Code, w.Body)
			}
		})
	}
}

func TestImportsThatThereAreNot(t *testing.T) {
	h, _ := serveImports(t)
	var refused problem.Problem
	call(t, h, http.MethodGet, "/v1/imports/none", "", http.StatusNotFound, &refused)
	call(t, h, http.MethodGet, "/v1/imports/none/errors", "", http.StatusNotFound, &refused)
	if w := upload(t, h, "none", 0, "", strings.NewReader(head)); w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
}

func TestFaultsAreListedPageByPage(t *testing.T) {
	h, _ := serveImports(t)
	id := begin(t, h)
	upload(t, h, id, 0, "?1", strings.NewReader(head+strings.Repeat("x\n", 5)))
	var lines []int64
	for path := "/v1/imports/" + id + "/errors?limit=2"; path != ""; {
		var page api.ImportErrorPage
		call(t, h, http.MethodGet, path, "", http.StatusOK, &page)
		for _, f := range page.Items {
			lines = append(lines, f.Line)
		}
		path = ""
		if page.Next != nil {
			path = fmt.Sprintf("/v1/imports/%s/errors?limit=2&after=%d", id, *page.Next)
		}
	}
	if diff := cmp.Diff([]int64{2, 3, 4, 5, 6}, lines); diff != "" {
		t.Error(diff)
	}
}

func TestExportCanBeImportedAgain(t *testing.T) {
	h, _ := serveImports(t)
	id := begin(t, h)
	var file strings.Builder
	file.WriteString(head)
	for i := range 3 * exportPage { // whole pages, the hardest case of their end
		fmt.Fprintf(&file, "s%04d,\"=1+1, \"\"%d\"\"\r\n\",'=x,%d.50,EUR\n", i, i, i)
	}
	if w := upload(t, h, id, 0, "?1", strings.NewReader(file.String())); w.Code != http.StatusOK {
		t.Fatalf("status %d, %s", w.Code, w.Body)
	}
	first := exported(t, h)
	if !strings.Contains(first, "\ns0000,\"'=1+1, \"\"0\"\"") || strings.Contains(first, ",=") || strings.Count(first, "EUR\n") != 3*exportPage {
		t.Errorf("exported %.300s", first)
	}
	other, _ := serveImports(t)
	if w := upload(t, other, begin(t, other), 0, "?1", strings.NewReader(first)); w.Code != http.StatusOK {
		t.Fatalf("status %d, %s", w.Code, w.Body)
	}
	if second := exported(t, other); second != first {
		t.Errorf("the second export differs: %s", cmp.Diff(first, second))
	}
	again := begin(t, h)
	upload(t, h, again, 0, "?1", strings.NewReader(first))
	var page api.ProductPage
	call(t, h, http.MethodGet, "/v1/products?limit=1", "", http.StatusOK, &page)
	if done := progress(t, h, again); done.Imported != 3*exportPage || page.Items[0].Version != 1 {
		t.Errorf("the same rows changed something: %+v, %+v", done, page.Items[0])
	}
}

func exported(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/products.csv", nil))
	if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != "text/csv; charset=utf-8" {
		t.Fatalf("status %d, content type %q", w.Code, got)
	}
	return w.Body.String()
}

// TestExportThatFailsIsCut sees to it that nobody takes a part for the whole.
func TestExportThatFailsIsCut(t *testing.T) {
	failing := export{first: make([]store.Product, exportPage), more: func(string) ([]store.Product, error) { return nil, errors.New("away") }}
	defer func() {
		if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // the very one
			t.Errorf("recovered %v", got)
		}
	}()
	_ = failing.VisitExportProductsResponse(httptest.NewRecorder())
}
