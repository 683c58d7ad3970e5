package spec

import "testing"

func TestTextGoesBeforeParameters(t *testing.T) {
	for _, test := range []struct {
		narrow, wide      string
		overlap, shadowed bool
	}{
		{"/v1/products/search", "/v1/products/{id}", true, true},
		{"/v1/products/{id}", "/v1/products/search", true, false},
		{"/v1/products/{id}", "/v1/products/{name}", true, false},
		{"/v1/products", "/v1/products", true, false},
		{"/v1/products", "/v1/products/{id}", false, false},
		{"/v1/products/{id}", "/v1/orders/{id}", false, false},
		{"/a/b/{y}", "/a/{x}/c", true, true},
		{"/a/{x}/c", "/a/b/{y}", true, false},
	} {
		if got := Overlap(test.narrow, test.wide); got != test.overlap {
			t.Errorf("%s and %s overlap: %t", test.narrow, test.wide, got)
		}
		if got := Shadows(test.narrow, test.wide); got != test.shadowed {
			t.Errorf("%s shadows %s: %t", test.narrow, test.wide, got)
		}
	}
}
