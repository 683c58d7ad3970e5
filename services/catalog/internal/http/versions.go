package http

import (
	"time"

	"github.com/trellis-mesh/trellis/chassis/apiversion"
)

// Versions are the versions in which products are read. They are written in one way.
func Versions() (*apiversion.Versions, error) {
	return apiversion.New(apiversion.Options{
		Vendor: "trellis",
		Operations: []string{
			"getProduct", "getProductV2", "getProductUnversioned",
			"listProducts", "listProductsV2", "listProductsUnversioned",
		},
		Versions: []apiversion.Version{
			{
				Number:     1,
				Deprecated: time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC),
				Sunset:     time.Date(2027, time.December, 1, 0, 0, 0, 0, time.UTC),
				Docs:       "https://github.com/trellis-mesh/trellis/blob/main/docs/patterns/api-versioning.md",
			},
			{Number: 2},
		},
		Default: 1,
	})
}
