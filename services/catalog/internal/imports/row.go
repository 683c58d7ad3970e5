package imports

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/catalog/internal/sheet"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

// Columns are those of a file, in the order of an export.
var Columns = []string{"sku", "name", "description", "price", "currency"}

// column says what may be in a column of text. The limits are those of the contract.
type column struct {
	name        string
	least, most int // characters
}

var texts = []column{{"sku", 1, 64}, {"name", 1, 200}, {"description", 0, 4000}}

// amount is what the contract takes for one.
var amount = regexp.MustCompile(`^(0|[1-9][0-9]{0,11})(\.[0-9]{1,2})?$`)

// header reads the first row: all columns, each once, in any order.
func header(row sheet.Row) ([]string, error) {
	if row.Err != nil {
		return nil, fmt.Errorf("%w: it %w", ErrHeader, row.Err)
	}
	var names []string
	for _, field := range row.Fields {
		names = append(names, strings.TrimSpace(string(field)))
	}
	sorted, want := slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(Columns))
	if !slices.Equal(sorted, want) {
		return nil, fmt.Errorf("%w: it must have the columns %s, each once, and no other", ErrHeader, strings.Join(Columns, ", "))
	}
	return names, nil
}

// fault is what is wrong with a row.
type fault struct{ field, detail string }

// parse reads a row below the header. Texts lose the apostrophe that an export has put before them.
func parse(columns []string, row sheet.Row) (store.Product, *fault) {
	if row.Err != nil {
		return store.Product{}, &fault{detail: row.Err.Error()}
	}
	if len(row.Fields) != len(columns) {
		return store.Product{}, &fault{detail: fmt.Sprintf("has %d fields, not %d", len(row.Fields), len(columns))}
	}
	values := make(map[string]string, len(columns))
	for i, name := range columns {
		values[name] = string(row.Fields[i])
	}
	for _, c := range texts {
		values[c.name] = sheet.Unguard(values[c.name])
		if detail := c.wrong(values[c.name]); detail != "" {
			return store.Product{}, &fault{c.name, detail}
		}
	}
	if f := wrongPrice(values["price"], values["currency"]); f != nil {
		return store.Product{}, f
	}
	return store.Product{
		SKU: values["sku"], Name: values["name"], Description: values["description"],
		Price: store.Price{Amount: values["price"], Currency: values["currency"]},
	}, nil
}

// wrong says what is wrong with a text; nothing is "".
func (c column) wrong(text string) string {
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text):
		return "is not UTF-8"
	case strings.ContainsRune(text, 0):
		return "holds the character NUL"
	case n < c.least:
		return "is empty"
	case n > c.most:
		return fmt.Sprintf("has %d characters, which is more than %d", n, c.most)
	}
	return ""
}

func wrongPrice(text, currency string) *fault {
	if !amount.MatchString(text) {
		return &fault{"price", "is no amount such as 12.50"}
	}
	price, err := money.New(text, currency)
	if err != nil { // the amount is one
		return &fault{"currency", "is no currency such as EUR"}
	}
	if _, err := price.Minor(); errors.Is(err, money.ErrDigits) {
		return &fault{"price", "has more digits than the currency has"}
	} else if err != nil {
		return &fault{"price", "is too large"}
	}
	return nil
}
