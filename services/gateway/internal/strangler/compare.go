package strangler

import (
	"slices"

	"github.com/trellis-mesh/trellis/contracts/money"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
)

// compared are the fields in which two products must agree. Version, createdAt and updatedAt are left out: each side counts its own
// changes by its own clock.
var compared = []struct {
	kind string
	same func(a, b catalogapi.Product) bool
}{
	{"id", func(a, b catalogapi.Product) bool { return a.ID == b.ID }},
	{"sku", func(a, b catalogapi.Product) bool { return a.Sku == b.Sku }},
	{"name", func(a, b catalogapi.Product) bool { return a.Name == b.Name }},
	{"description", func(a, b catalogapi.Product) bool { return a.Description == b.Description }},
	{"price", func(a, b catalogapi.Product) bool { return samePrice(a.Price, b.Price) }},
}

// samePrice compares by value: 12.5 EUR is 12.50 EUR.
func samePrice(a, b catalogapi.Money) bool {
	x, err := money.New(a.Amount, a.Currency)
	if err != nil {
		return a == b
	}
	y, err := money.New(b.Amount, b.Currency)
	return err == nil && x.Equal(y)
}

// differences names the fields in which two products differ.
func differences(taken, old catalogapi.Product) (kinds []string) {
	for _, field := range compared {
		if !field.same(taken, old) {
			kinds = append(kinds, field.kind)
		}
	}
	return kinds
}

// pageDifferences compares the products that are in both pages, whatever their places, and then the pages.
func pageDifferences(taken, old catalogapi.ProductPage) (kinds []string) {
	add := func(kind string) {
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	olds := map[string]catalogapi.Product{}
	for _, product := range old.Items {
		olds[product.ID] = product
	}
	var shared []string
	for _, product := range taken.Items {
		other, both := olds[product.ID]
		if !both {
			add("missing")
			continue
		}
		shared = append(shared, product.ID)
		for _, kind := range differences(product, other) {
			add(kind)
		}
	}
	if len(shared) < len(olds) {
		add("extra")
	}
	inOrder := slices.DeleteFunc(ids(old.Items), func(id string) bool { return !slices.Contains(shared, id) })
	if !slices.Equal(shared, inOrder) {
		add("order")
	}
	if (taken.Next == nil) != (old.Next == nil) || taken.Next != nil && *taken.Next != *old.Next {
		add("next")
	}
	return kinds
}

func ids(products []catalogapi.Product) []string {
	all := make([]string, len(products))
	for i, product := range products {
		all[i] = product.ID
	}
	return all
}
