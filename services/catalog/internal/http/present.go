package http

import (
	"net/http"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

// present shows a product as version 1 has it.
func present(product store.Product) api.Product {
	return api.Product{
		ID: product.ID, Sku: product.SKU, Name: product.Name, Description: product.Description, Price: api.Money(product.Price),
		Version: product.Version, CreatedAt: product.CreatedAt, UpdatedAt: product.UpdatedAt,
	}
}

// presentV2 shows a product as version 2 has it.
func presentV2(product store.Product) api.ProductV2 {
	return api.ProductV2{
		ID: product.ID, Sku: product.SKU, Slug: slug(product), Name: product.Name, Description: product.Description,
		Price: api.Money(product.Price), Prices: []api.Money{api.Money(product.Price)},
		Version: product.Version, CreatedAt: product.CreatedAt, UpdatedAt: product.UpdatedAt,
	}
}

// letters are those that do not fall apart into a letter of ASCII and a mark.
var letters = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th")

// slug is the name in small letters of ASCII, digits and hyphens; failing that the sku, failing that the id.
func slug(product store.Product) string {
	for _, text := range []string{product.Name, product.SKU} {
		var b strings.Builder
		for _, r := range norm.NFKD.String(letters.Replace(strings.ToLower(text))) {
			switch {
			case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
				b.WriteRune(r)
			case !unicode.Is(unicode.Mn, r):
				b.WriteByte(' ')
			}
		}
		if words := strings.Fields(b.String()); len(words) > 0 {
			return strings.Join(words, "-")
		}
	}
	return product.ID
}

// shown is a product in a version. It answers every operation that gives one.
type shown struct {
	version int
	product store.Product
}

func (s shown) write(w http.ResponseWriter) error {
	if s.version == 2 {
		return api.GetProductV2200JSONResponse(presentV2(s.product)).VisitGetProductV2Response(w)
	}
	return api.GetProduct200JSONResponse(present(s.product)).VisitGetProductResponse(w)
}

// VisitGetProductResponse implements the answer of getProduct.
func (s shown) VisitGetProductResponse(w http.ResponseWriter) error { return s.write(w) }

// VisitGetProductV2Response implements the answer of getProductV2.
func (s shown) VisitGetProductV2Response(w http.ResponseWriter) error { return s.write(w) }

// VisitGetProductUnversionedResponse implements the answer of getProductUnversioned.
func (s shown) VisitGetProductUnversionedResponse(w http.ResponseWriter) error { return s.write(w) }

// page is a page of products in a version. It answers every operation that gives one.
type page struct {
	version  int
	products []store.Product
	next     *string
}

func (p page) write(w http.ResponseWriter) error {
	if p.version == 2 {
		return api.ListProductsV2200JSONResponse{Items: each(p.products, presentV2), Next: p.next}.VisitListProductsV2Response(w)
	}
	return api.ListProducts200JSONResponse{Items: each(p.products, present), Next: p.next}.VisitListProductsResponse(w)
}

// each is a list that is never null in JSON.
func each[T any](products []store.Product, show func(store.Product) T) []T {
	all := make([]T, 0, len(products))
	for _, product := range products {
		all = append(all, show(product))
	}
	return all
}

// VisitListProductsResponse implements the answer of listProducts.
func (p page) VisitListProductsResponse(w http.ResponseWriter) error { return p.write(w) }

// VisitListProductsV2Response implements the answer of listProductsV2.
func (p page) VisitListProductsV2Response(w http.ResponseWriter) error { return p.write(w) }

// VisitListProductsUnversionedResponse implements the answer of listProductsUnversioned.
func (p page) VisitListProductsUnversionedResponse(w http.ResponseWriter) error { return p.write(w) }
