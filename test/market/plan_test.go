package market

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheSamePlanIsTheSameShop(t *testing.T) {
	small, large := Plan{Seed: 7, Products: 60, Users: 20, Orders: 50}, Plan{Seed: 7, Products: 60, Users: 20, Orders: 500}
	other := Plan{Seed: 8, Products: 60, Users: 20, Orders: 50}
	same := 0
	for i := range 50 {
		if diff := cmp.Diff(small.Order(i), large.Order(i)); diff != "" {
			t.Errorf("order %d (-small +large):\n%s", i, diff)
		}
		if diff := cmp.Diff(small.Product(i), small.Product(i)); diff != "" {
			t.Errorf("product %d (-first +second):\n%s", i, diff)
		}
		if diff := cmp.Diff(small.User(i), large.User(i)); diff != "" {
			t.Errorf("user %d (-small +large):\n%s", i, diff)
		}
		if cmp.Equal(small.Order(i).Items, other.Order(i).Items) {
			same++
		}
	}
	if same > 10 {
		t.Errorf("%d of 50 orders are the same with another seed", same)
	}
}

func TestAPlanHasNothingTwice(t *testing.T) {
	p, seen := Plan{Seed: 1, Products: 1000, Users: 200, Orders: 2000}, map[string]bool{}
	note := func(what string) {
		t.Helper()
		if seen[what] {
			t.Errorf("%s is there twice", what)
		}
		seen[what] = true
	}
	for i := range p.Products {
		note(p.Product(i).SKU)
	}
	for i := range p.Users {
		note(p.User(i).Email)
		note(p.Key("card", i))
	}
	players := p
	players.People = "play"
	for i := range p.Orders {
		o := p.Order(i)
		note(o.Address)
		note(o.Key)
		if len(o.Items) == 0 || len(o.Items) > 4 || o.User >= p.Users {
			t.Errorf("order %+v", o)
		}
		products := map[int]bool{}
		for _, item := range o.Items {
			if products[item.Product] || item.Quantity < 1 || item.Product >= p.Products {
				t.Errorf("order %+v", o)
			}
			products[item.Product] = true
		}
	}
	note(players.User(0).Email)
	if p.Product(3).SKU != players.Product(3).SKU || p.Product(3).Cents != players.Product(3).Cents {
		t.Error("players find other products")
	}
}

func TestAPlanHasEverything(t *testing.T) {
	p := Plan{Seed: 1, Products: 1000, Users: 200, Orders: 2000}
	got := map[string]int{}
	for i := range p.Orders {
		o, soldOut := p.Order(i), false
		for _, item := range o.Items {
			soldOut = soldOut || p.Product(item.Product).Stock == 0
		}
		switch {
		case soldOut:
			got["sold out"]++
		case o.Invoice:
			got["invoice"]++
		case p.User(o.User).Card == SpentCard:
			got["declined"]++
		default:
			got["paid"]++
		}
	}
	for what, least := range map[string]int{"sold out": 40, "invoice": 400, "declined": 40, "paid": 1000} {
		if got[what] < least {
			t.Errorf("%d orders are %s, want at least %d: %v", got[what], what, least, got)
		}
	}
}

func TestAmountsAreDecimal(t *testing.T) {
	for cents, want := range map[int64]string{99: "0.99", 100: "1.00", 12_345: "123.45", 5: "0.05"} {
		if got := amount(cents); got != want {
			t.Errorf("%d cents are %s, want %s", cents, got, want)
		}
	}
}

func TestPatientSendsAgainWhatWasRefusedForAWhile(t *testing.T) {
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := new(strings.Builder)
		_, _ = text.WriteString(r.Method)
		buffer := make([]byte, 64)
		n, _ := r.Body.Read(buffer)
		text.Write(buffer[:n])
		bodies = append(bodies, text.String())
		w.Header().Set("Retry-After", "0")
		if r.URL.Path == "/always" || len(bodies) < 3 {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	waited := 0
	client := http.Client{Transport: Patient{
		Next: http.DefaultTransport, Statuses: []int{http.StatusTooManyRequests}, Most: 4, Waited: func(*http.Request, int) { waited++ },
	}}
	for path, want := range map[string]int{"/": http.StatusOK, "/always": http.StatusTooManyRequests} {
		bodies, waited = nil, 0
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want || waited != len(bodies)-1 {
			t.Errorf("%s: status %d after %d waits", path, response.StatusCode, waited)
		}
		for _, got := range bodies {
			if got != "POSTbody" {
				t.Errorf("%s: sent %q", path, got)
			}
		}
	}
}
