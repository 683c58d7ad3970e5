package imports

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/services/catalog/internal/sheet"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

func row(fields ...string) sheet.Row {
	r := sheet.Row{Line: 2}
	for _, field := range fields {
		r.Fields = append(r.Fields, []byte(field))
	}
	return r
}

func TestRowBecomesAProduct(t *testing.T) {
	for name, test := range map[string]struct {
		columns []string
		row     sheet.Row
		want    store.Product
	}{
		"in the usual order": {Columns, row("tea", "Tea", "Green", "12.50", "EUR"), store.Product{
			SKU: "tea", Name: "Tea", Description: "Green", Price: store.Price{Amount: "12.50", Currency: "EUR"},
		}},
		"in another order": {[]string{"price", "currency", "name", "sku", "description"}, row("5", "JPY", "Tea", "tea", ""), store.Product{
			SKU: "tea", Name: "Tea", Price: store.Price{Amount: "5", Currency: "JPY"},
		}},
		"as an export has it": {Columns, row("'=tea", "''=Tea", "'Green", "0", "EUR"), store.Product{
			SKU: "=tea", Name: "'=Tea", Description: "'Green", Price: store.Price{Amount: "0", Currency: "EUR"},
		}},
		"as long as can be": {Columns, row(strings.Repeat("ä", 64), strings.Repeat("ä", 200), strings.Repeat("ä", 4000), "1", "EUR"), store.Product{
			SKU: strings.Repeat("ä", 64), Name: strings.Repeat("ä", 200), Description: strings.Repeat("ä", 4000),
			Price: store.Price{Amount: "1", Currency: "EUR"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, wrong := parse(test.columns, test.row)
			if diff := cmp.Diff(test.want, got); diff != "" || wrong != nil {
				t.Errorf("%+v: %s", wrong, diff)
			}
		})
	}
}

func TestRowIsRefusedByTheColumnThatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		row  sheet.Row
		want fault
	}{
		"no row":                 {sheet.Row{Err: sheet.ErrQuote}, fault{"", sheet.ErrQuote.Error()}},
		"a field too few":        {row("tea", "Tea", "12.50", "EUR"), fault{"", "has 4 fields, not 5"}},
		"a field too many":       {row("tea", "Tea", "", "12.50", "EUR", ""), fault{"", "has 6 fields, not 5"}},
		"no sku":                 {row("", "Tea", "", "12.50", "EUR"), fault{"sku", "is empty"}},
		"no name":                {row("tea", "", "", "12.50", "EUR"), fault{"name", "is empty"}},
		"a long sku":             {row(strings.Repeat("ä", 65), "Tea", "", "1", "EUR"), fault{"sku", "has 65 characters, which is more than 64"}},
		"no text":                {row("tea", "T\xffa", "", "12.50", "EUR"), fault{"name", "is not UTF-8"}},
		"NUL":                    {row("tea", "Tea", "a\x00b", "12.50", "EUR"), fault{"description", "holds the character NUL"}},
		"no price":               {row("tea", "Tea", "", "", "EUR"), fault{"price", "is no amount such as 12.50"}},
		"a negative price":       {row("tea", "Tea", "", "-1", "EUR"), fault{"price", "is no amount such as 12.50"}},
		"a price with a comma":   {row("tea", "Tea", "", "12,50", "EUR"), fault{"price", "is no amount such as 12.50"}},
		"a price with a formula": {row("tea", "Tea", "", "=1", "EUR"), fault{"price", "is no amount such as 12.50"}},
		"a tenth of a cent":      {row("tea", "Tea", "", "1.005", "EUR"), fault{"price", "is no amount such as 12.50"}},
		"half a yen":             {row("tea", "Tea", "", "1.5", "JPY"), fault{"price", "has more digits than the currency has"}},
		"no currency":            {row("tea", "Tea", "", "1", ""), fault{"currency", "is no currency such as EUR"}},
		"a small currency":       {row("tea", "Tea", "", "1", "eur"), fault{"currency", "is no currency such as EUR"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, wrong := parse(Columns, test.row)
			if wrong == nil || *wrong != test.want {
				t.Errorf("%+v, want %+v", wrong, test.want)
			}
		})
	}
}

func TestHeaderHasEveryColumnOnce(t *testing.T) {
	got, err := header(row(" price", "currency", "name", "sku ", "description"))
	if diff := cmp.Diff([]string{"price", "currency", "name", "sku", "description"}, got); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	for name, wrong := range map[string]sheet.Row{
		"no row":           {Err: sheet.ErrTooLong},
		"a column less":    row("sku", "name", "price", "currency"),
		"a column more":    row("sku", "name", "description", "price", "currency", "weight"),
		"a column twice":   row("sku", "name", "name", "price", "currency"),
		"in capitals":      row("SKU", "name", "description", "price", "currency"),
		"data, not header": row("tea", "Tea", "Green", "12.50", "EUR"),
	} {
		if _, err := header(wrong); !errors.Is(err, ErrHeader) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
