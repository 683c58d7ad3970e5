package http

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/strangler"
)

// oldProduct is what the monolith keeps of a product.
type oldProduct struct {
	ID       string `json:"product_id"`
	Code     string `json:"product_code"`
	Title    string `json:"title"`
	LongText string `json:"long_text"`
	Price    int64  `json:"price_cents"`
	Currency string `json:"currency_code"`
}

func cup(id string) oldProduct {
	return oldProduct{ID: id, Code: "C-" + id, Title: "Cup " + id, LongText: "Holds tea.", Price: 1250, Currency: "EUR"}
}

// keep has the real monolith answer, with these products.
func (g *gateway) keep(t *testing.T, products ...oldProduct) {
	t.Helper()
	g.monolith(t)
	for _, p := range products {
		body, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, g.callees["legacy"].URL+"/monolith/products/"+p.ID, strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", plain)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		if _ = resp.Body.Close(); resp.StatusCode != http.StatusOK {
			t.Fatalf("put %s: %d %s", p.ID, resp.StatusCode, text)
		}
	}
}

// newProduct is the product that the catalog has for one of the monolith's.
func newProduct(p oldProduct) catalogapi.Product {
	amount := fmt.Sprintf("%d.%02d", p.Price/100, p.Price%100)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return catalogapi.Product{
		ID: p.ID, Sku: p.Code, Name: p.Title, Description: p.LongText, Price: catalogapi.Money{Amount: amount, Currency: p.Currency},
		Version: 3, CreatedAt: at, UpdatedAt: at,
	}
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// asked counts what a callee was asked with a method.
func asked(c *callee, method string) (n int) {
	for _, r := range c.requests() {
		if r.method == method {
			n++
		}
	}
	return n
}

func TestAFlagFlipsAResourceWithoutARestart(t *testing.T) {
	g := newGateway(t)
	g.keep(t, cup("p1"))
	g.callees["catalog"].answers(says(http.StatusOK, plain, encoded(t, newProduct(cup("p1")))))
	for _, value := range []string{"new", "legacy", "new", "legacy"} {
		g.flipped(t, "{value: "+value+"}", value)
		catalog, monolith := asked(g.callees["catalog"], "GET"), asked(g.callees["legacy"], "GET")
		got := g.send(t, "GET", "/api/products/p1", "")
		if got.status != http.StatusOK {
			t.Fatalf("%s: %d %s", value, got.status, got.body)
		}
		toCatalog, toMonolith := asked(g.callees["catalog"], "GET")-catalog, asked(g.callees["legacy"], "GET")-monolith
		if value == "new" && (toCatalog != 1 || toMonolith != 0) || value == "legacy" && (toCatalog != 0 || toMonolith != 1) {
			t.Errorf("%s: the catalog was asked %d times, the monolith %d times", value, toCatalog, toMonolith)
		}
	}
	// A file with a fault leaves the flag as it is.
	g.flip(t, "{value: nobody, variants: [new, legacy, shadow]}")
	eventually(t, func() bool { return strings.Contains(g.log.String(), "the new flags cannot be used") })
	before := asked(g.callees["legacy"], "GET")
	if got := g.send(t, "GET", "/api/products/p1", ""); got.status != http.StatusOK || asked(g.callees["legacy"], "GET") != before+1 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// Who has been moved stays moved while the share grows, and at each request.
func TestAShareOfTheUsersIsStableAndOnlyGrows(t *testing.T) {
	g := newGateway(t, func(s *setup) { s.proxies = []string{"127.0.0.0/8"} })
	g.keep(t, cup("p1"))
	g.callees["catalog"].answers(says(http.StatusOK, plain, encoded(t, newProduct(cup("p1")))))
	moved := func(user int) bool {
		before := asked(g.callees["catalog"], "GET")
		got := g.send(t, "GET", "/api/products/p1", "", "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", user))
		if got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		return asked(g.callees["catalog"], "GET") > before
	}
	const users = 200
	var last [users]bool
	for _, percent := range []int{0, 30, 70, 100} {
		definition := fmt.Sprintf("{value: legacy, rollout: {value: new, percent: %d}}", percent)
		g.flip(t, definition)
		eventually(t, func() bool {
			w := httptest.NewRecorder()
			g.flags.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			return strings.Contains(w.Body.String(), fmt.Sprintf(`"percent":%d}`, percent))
		})
		count := 0
		for user := range users {
			now := moved(user)
			if last[user] && !now {
				t.Errorf("at %d %%, user %d is back at the monolith", percent, user)
			}
			if user < 10 && moved(user) != now {
				t.Errorf("at %d %%, user %d goes to and fro", percent, user)
			}
			if last[user] = now; now {
				count++
			}
		}
		if share := count * 100 / users; share < percent-12 || share > percent+12 {
			t.Errorf("at %d %%, %d of %d users are moved", percent, count, users)
		}
	}
}

func TestNobodySeesWhoHasAnswered(t *testing.T) {
	g := newGateway(t)
	yen := oldProduct{ID: "p2", Code: "C-p2", Title: `"Ukiyo-e" <print>`, Price: 1999, Currency: "JPY"}
	g.keep(t, cup("p1"), yen)
	g.flipped(t, "{value: legacy}", "legacy")
	for id, want := range map[string]string{
		"p1": `"price":{"amount":"12.50","currency":"EUR"}`,
		"p2": `"price":{"amount":"1999","currency":"JPY"}`,
	} {
		got := g.send(t, "GET", "/api/products/"+id, "")
		var product catalogapi.Product
		decoder := json.NewDecoder(strings.NewReader(got.body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&product); err != nil || got.status != http.StatusOK || got.header.Get("Content-Type") != plain {
			t.Fatalf("%d %s: %v", got.status, got.body, err)
		}
		if !strings.Contains(got.body, want) || product.ID != id || product.Sku != "C-"+id || product.Version != 1 || product.CreatedAt.IsZero() || product.UpdatedAt.IsZero() {
			t.Errorf("%s, want %s", got.body, want)
		}
		if strings.Contains(got.body, "_") {
			t.Errorf("the monolith shows: %s", got.body)
		}
	}
	old := g.send(t, "GET", "/api/products/p1", "", "Api-Version", "1")
	if !strings.HasPrefix(old.body, `{"data":{"createdAt":`) && !strings.HasPrefix(old.body, `{"data":{`) || !strings.Contains(old.body, `"apiVersion":"1"`) {
		t.Errorf("an old client gets %s", old.body)
	}
	if got := g.send(t, "GET", "/api/products/p9", ""); got.status != http.StatusNotFound || got.code(t) != "product_not_found" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if n := asked(g.callees["catalog"], "GET"); n != 0 {
		t.Errorf("the catalog was asked %d times", n)
	}
}

// A client that reads all products page by page sees each once, wherever the pages come from and whenever the flag flips.
func TestPagesGoOnWhereTheLastOneEnded(t *testing.T) {
	g := newGateway(t)
	var want []string
	var kept []oldProduct
	for i := range 23 {
		kept = append(kept, cup(fmt.Sprintf("p%02d", i)))
		want = append(want, kept[i].ID)
	}
	g.keep(t, kept...)
	g.callees["catalog"].answers(func(w http.ResponseWriter, r *http.Request) { // as the catalog does
		limit, page := 0, catalogapi.ProductPage{Items: []catalogapi.Product{}}
		_, _ = fmt.Sscan(r.URL.Query().Get("limit"), &limit)
		for _, id := range want {
			if id > r.URL.Query().Get("after") && len(page.Items) < limit {
				page.Items = append(page.Items, newProduct(cup(id)))
			}
		}
		if n := len(page.Items); n > 0 && page.Items[n-1].ID != want[len(want)-1] {
			page.Next = &page.Items[n-1].ID
		}
		says(http.StatusOK, plain, encoded(t, page))(w, r)
	})
	for _, turns := range [][]string{{"legacy"}, {"new"}, {"legacy", "new"}, {"new", "legacy"}} {
		for _, limit := range []int{1, 5, 7, 22, 23, 50} {
			var seen []string
			after, pages := "", 0
			for turn := 0; ; turn++ {
				value := turns[turn%len(turns)]
				if turn == 0 || len(turns) > 1 {
					g.flipped(t, "{value: "+value+"}", value)
				}
				got := g.send(t, "GET", fmt.Sprintf("/api/products?limit=%d%s", limit, after), "")
				var page catalogapi.ProductPage
				if err := json.Unmarshal([]byte(got.body), &page); err != nil || got.status != http.StatusOK {
					t.Fatalf("%d %s: %v", got.status, got.body, err)
				}
				for _, p := range page.Items {
					seen = append(seen, p.ID)
				}
				if pages++; page.Next == nil || pages > len(want) {
					break
				}
				after = "&after=" + *page.Next
			}
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Errorf("%v, %d a page: %s", turns, limit, diff)
			}
			if most := (len(want) + limit - 1) / limit; pages != most {
				t.Errorf("%v, %d a page: %d pages, want %d", turns, limit, pages, most)
			}
			if len(turns) > 1 && limit == 1 {
				break // the flag need not be flipped a hundred times
			}
		}
	}
	// A cursor may be in the middle of the monolith's page, be one that no product has any more, or stand behind the last.
	g.flipped(t, "{value: legacy}", "legacy")
	for after, ids := range map[string][]string{
		"a": want[:5], "p02": want[3:8], "p04": want[5:10], "p04x": want[5:10], "p17": want[18:], "p19": want[20:], "p22": {}, "z": {},
	} {
		var page catalogapi.ProductPage
		got := g.send(t, "GET", "/api/products?limit=5&after="+after, "")
		if err := json.Unmarshal([]byte(got.body), &page); err != nil {
			t.Fatal(err)
		}
		found := []string{}
		for _, p := range page.Items {
			found = append(found, p.ID)
		}
		if diff := cmp.Diff(ids, found); diff != "" || page.Items == nil {
			t.Errorf("after %s: %s\n%s", after, diff, got.body)
		}
		if last := len(ids) == 0 || ids[len(ids)-1] == want[len(want)-1]; (page.Next == nil) != last {
			t.Errorf("after %s: next is %v", after, page.Next)
		}
	}
}

func TestProductsAreChosenByTheirIDs(t *testing.T) {
	g := newGateway(t)
	var kept []oldProduct
	for i := range 30 {
		kept = append(kept, cup(fmt.Sprintf("p%02d", i)))
	}
	g.keep(t, kept...)
	g.flipped(t, "{value: legacy}", "legacy")
	got := g.send(t, "GET", "/api/products?ids=p29,nobody,p03,p29,p07", "")
	var page catalogapi.ProductPage
	if err := json.Unmarshal([]byte(got.body), &page); err != nil || got.status != http.StatusOK {
		t.Fatalf("%d %s: %v", got.status, got.body, err)
	}
	var ids []string
	for _, p := range page.Items {
		ids = append(ids, p.ID)
	}
	if want := []string{"p29", "p03", "p07"}; !slices.Equal(ids, want) || page.Next != nil {
		t.Errorf("%v, next %v, want %v", ids, page.Next, want)
	}
}

func TestAMonolithThatFailsIsAProblem(t *testing.T) {
	g := newGateway(t, func(s *setup) { s.client.Breaker.Volume = 1000 })
	g.flipped(t, "{value: legacy}", "legacy")
	paths := []string{"/api/products", "/api/products?after=a", "/api/products?ids=a,b", "/api/products/p1", "/api/suppliers", "/api/suppliers/s"}
	for name, c := range map[string]struct {
		says   http.HandlerFunc
		status int
		code   string
	}{
		"the mesh, away":  {says(503, "text/plain", "10.0.0.7"), 503, "dependency_unavailable"},
		"a page":          {says(200, "text/html", "10.0.0.7"), 502, "dependency_failed"},
		"no JSON":         {says(200, plain, "{10.0.0.7"), 502, "dependency_failed"},
		"nothing in it":   {says(200, plain, "{}"), 502, "dependency_failed"},
		"its own problem": {says(500, "application/problem+json", `{"code":"internal_error","detail":"10.0.0.7"}`), 502, "dependency_failed"},
		"a hang-up":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, "dependency_failed"},
	} {
		g.callees["legacy"].answers(c.says)
		for _, path := range paths {
			got := g.send(t, "GET", path, "")
			if got.status != c.status || got.code(t) != c.code || strings.Contains(got.body, "10.0.0.7") {
				t.Errorf("%s, %s: %d %s, want %d %s", name, path, got.status, got.body, c.status, c.code)
			}
		}
	}
	g.callees["legacy"].answers(comesAgain(503))
	for _, path := range paths {
		if got := g.send(t, "GET", path, ""); got.status != 503 || got.header.Get("Retry-After") != "70" {
			t.Errorf("%s: %d, Retry-After %q", path, got.status, got.header.Get("Retry-After"))
		}
	}
	for _, price := range []string{`-1`, `1, "currency_code": "euro"`} {
		g.callees["legacy"].answers(says(200, plain, `{"product_id":"p","product_code":"c","title":"t","currency_code":"EUR","price_cents":`+price+`}`))
		if got := g.send(t, "GET", "/api/products/p", ""); got.status != 502 {
			t.Errorf("price %s: %d %s", price, got.status, got.body)
		}
	}
}

func TestSuppliersComeFromTheMonolith(t *testing.T) {
	g := newGateway(t)
	g.monolith(t)
	got := g.send(t, "GET", "/api/suppliers?limit=2", "")
	want := `{"items":[{"id":"sup-001","name":"Adler \u0026 Söhne Werkzeuge","city":"Remscheid"},{"id":"sup-002","name":"Baltic Timber","city":"Gdańsk"}]}`
	if got.status != http.StatusOK || got.body != want {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := g.send(t, "GET", "/api/suppliers/sup-010", ""); got.body != `{"id":"sup-010","name":"Jansen Lampen","city":"Eindhoven"}` {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := g.send(t, "GET", "/api/suppliers/sup-999", ""); got.status != http.StatusNotFound || got.code(t) != "supplier_not_found" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// results reads gateway_shadow_total, without the results that have not come up.
func (g *gateway) results(t *testing.T) map[string]int {
	t.Helper()
	families, err := g.tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]int{}
	for _, family := range families {
		if family.GetName() != "gateway_shadow_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if n := int(metric.GetCounter().GetValue()); label.GetName() == "result" && n > 0 {
					counted[label.GetValue()] = n
				}
			}
		}
	}
	return counted
}

func TestAShadowCountsInWhatTheAnswersDiffer(t *testing.T) {
	const secret = "Ada Lovelace, 12 St James's Square"
	one, two := newProduct(cup("p1")), newProduct(cup("p2"))
	change := func(p catalogapi.Product, change func(*catalogapi.Product)) catalogapi.Product {
		change(&p)
		return p
	}
	next := "p2"
	for name, c := range map[string]struct {
		path string
		says http.HandlerFunc
		want map[string]int
	}{
		"the same":             {"/api/products/p1", says(200, plain, encoded(t, one)), map[string]int{"same": 1}},
		"a price as a number":  {"/api/products/p1", says(200, plain, encoded(t, change(one, func(p *catalogapi.Product) { p.Price.Amount = "12.5" }))), map[string]int{"same": 1}},
		"its own version":      {"/api/products/p1", says(200, plain, encoded(t, change(one, func(p *catalogapi.Product) { p.Version = 9; p.CreatedAt = time.Time{} }))), map[string]int{"same": 1}},
		"another price":        {"/api/products/p1", says(200, plain, encoded(t, change(one, func(p *catalogapi.Product) { p.Price.Amount = "12.51" }))), map[string]int{"price": 1}},
		"another currency":     {"/api/products/p1", says(200, plain, encoded(t, change(one, func(p *catalogapi.Product) { p.Price.Currency = "USD" }))), map[string]int{"price": 1}},
		"a name and a sku":     {"/api/products/p1", says(200, plain, encoded(t, change(one, func(p *catalogapi.Product) { p.Name, p.Sku = secret, secret }))), map[string]int{"name": 1, "sku": 1}},
		"a description":        {"/api/products/p1", says(200, plain, encoded(t, change(one, func(p *catalogapi.Product) { p.Description = secret }))), map[string]int{"description": 1}},
		"another product":      {"/api/products/p1", says(200, plain, encoded(t, change(one, func(p *catalogapi.Product) { p.ID = secret }))), map[string]int{"id": 1}},
		"gone":                 {"/api/products/p1", says(404, "application/problem+json", `{"status":404,"code":"product_not_found"}`), map[string]int{"status": 1}},
		"new":                  {"/api/products/p9", says(200, plain, encoded(t, one)), map[string]int{"status": 1}},
		"nowhere":              {"/api/products/p9", says(404, "application/problem+json", `{"status":404,"code":"product_not_found"}`), map[string]int{"same": 1}},
		"a failure":            {"/api/products/p1", says(500, "application/problem+json", `{"status":500,"code":"internal_error"}`), map[string]int{"skipped": 1}},
		"what cannot be read":  {"/api/products/p1", says(200, plain, `{"id":7}`), map[string]int{"skipped": 1}},
		"too much":             {"/api/products/p1", says(200, plain, `{"description":"`+strings.Repeat("x", 2<<20)+`"}`), map[string]int{"skipped": 1}},
		"the same page":        {"/api/products", says(200, plain, encoded(t, catalogapi.ProductPage{Items: []catalogapi.Product{one, two}})), map[string]int{"same": 1}},
		"another order":        {"/api/products", says(200, plain, encoded(t, catalogapi.ProductPage{Items: []catalogapi.Product{two, one}})), map[string]int{"order": 1}},
		"a product fewer":      {"/api/products", says(200, plain, encoded(t, catalogapi.ProductPage{Items: []catalogapi.Product{two}})), map[string]int{"extra": 1}},
		"a product more":       {"/api/products", says(200, plain, encoded(t, catalogapi.ProductPage{Items: []catalogapi.Product{one, two, change(one, func(p *catalogapi.Product) { p.ID = "p3" })}})), map[string]int{"missing": 1}},
		"another next page":    {"/api/products", says(200, plain, encoded(t, catalogapi.ProductPage{Items: []catalogapi.Product{one, two}, Next: &next})), map[string]int{"next": 1}},
		"two names on a page":  {"/api/products", says(200, plain, encoded(t, catalogapi.ProductPage{Items: []catalogapi.Product{change(one, func(p *catalogapi.Product) { p.Name = "x" }), change(two, func(p *catalogapi.Product) { p.Name = "x" })}})), map[string]int{"name": 1}},
		"only some, by the id": {"/api/products?ids=p2", says(200, plain, encoded(t, catalogapi.ProductPage{Items: []catalogapi.Product{two}})), map[string]int{"same": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			g.keep(t, cup("p1"), cup("p2"))
			g.flipped(t, "{value: shadow}", "shadow")
			g.callees["catalog"].answers(c.says)
			got := g.send(t, "GET", c.path, "")
			w := httptest.NewRecorder()
			if c.says(w, nil); got.status != w.Code || got.status == 200 && got.body != w.Body.String() {
				t.Errorf("the client got %d %.200s, and the catalog said %d %.200s", got.status, got.body, w.Code, w.Body)
			}
			eventually(t, func() bool { return len(g.results(t)) > 0 })
			if err := g.shadow.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, g.results(t)); diff != "" {
				t.Error(diff)
			}
			differs := strings.Contains(g.log.String(), "the monolith's answer differs")
			if c.want["same"]+c.want["skipped"] == 0 != differs {
				t.Errorf("the log says: %s", g.log.String())
			}
			if strings.Contains(g.log.String(), "Lovelace") {
				t.Error("the log shows a value")
			}
		})
	}
}

// The client's answer waits neither for the monolith nor for its failure, and what there is no room for is dropped.
func TestAShadowKeepsNobodyWaiting(t *testing.T) {
	g := newGateway(t, func(s *setup) { s.shadow = strangler.ShadowOptions{Concurrency: 2, Timeout: time.Minute} })
	leave := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(leave) }) }
	t.Cleanup(release)
	g.callees["legacy"].answers(func(w http.ResponseWriter, r *http.Request) {
		<-leave
		says(503, "text/plain", "away")(w, r)
	})
	g.callees["catalog"].answers(says(200, plain, encoded(t, newProduct(cup("p1")))))
	g.flipped(t, "{value: shadow}", "shadow")
	for range 5 { // nobody answers for the monolith
		if got := g.send(t, "GET", "/api/products/p1", ""); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	eventually(t, func() bool { return g.results(t)["dropped"] == 3 })
	release()
	if err := g.shadow.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"dropped": 3, "failed": 2}, g.results(t)); diff != "" {
		t.Error(diff)
	}
	if got := g.send(t, "GET", "/api/products/p1", ""); got.status != http.StatusOK || g.results(t)["dropped"] != 4 {
		t.Errorf("after its end: %d %s, %v", got.status, got.body, g.results(t))
	}
}

func TestAComparisonEndsWithItsTime(t *testing.T) {
	g := newGateway(t, func(s *setup) {
		s.shadow.Timeout, s.client.Timeout = 20*time.Millisecond, time.Minute // the call would go on for longer
	})
	g.callees["legacy"].answers(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	g.callees["catalog"].answers(says(200, plain, encoded(t, newProduct(cup("p1")))))
	g.flipped(t, "{value: shadow}", "shadow")
	g.send(t, "GET", "/api/products/p1", "")
	eventually(t, func() bool { return g.results(t)["failed"] == 1 })
}

// What is written goes to the new service, whoever answers for what is read.
func TestTheMonolithTakesNothingNew(t *testing.T) {
	for _, value := range []string{"new", "legacy", "shadow"} {
		g := newGateway(t)
		g.flipped(t, "{value: "+value+"}", value)
		g.callees["catalog"].answers(says(http.StatusCreated, plain, "{}"))
		if got := g.send(t, "POST", "/api/products", `{"sku":"s"}`); got.status != http.StatusCreated {
			t.Errorf("%s: %d %s", value, got.status, got.body)
		}
		if n := len(g.callees["legacy"].requests()); n > 0 || asked(g.callees["catalog"], "POST") != 1 {
			t.Errorf("%s: the monolith was asked %d times", value, n)
		}
	}
}

func TestTheMetricOfComparisonsIsSound(t *testing.T) {
	g := newGateway(t)
	if problems, err := testutil.GatherAndLint(g.tel.Registry, "gateway_shadow_total"); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
