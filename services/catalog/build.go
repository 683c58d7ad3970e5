package main

import (
	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/catalog/internal/cache"
	"github.com/trellis-mesh/trellis/services/catalog/internal/http"
	"github.com/trellis-mesh/trellis/services/catalog/internal/imports"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

// build makes the handler. What is read by its id comes from the cache, which the store tells of each change.
func build(s *chassis.Service, d deps) (*http.Handler, error) {
	cached, err := cache.New(d.cache, store.New(d.database, nil).Get, cache.Options{Log: s.Log(), Registry: s.Registry()})
	if err != nil {
		return nil, err
	}
	s.Go("product cache", cached.Run)
	products := store.New(d.database, cached)
	return http.New(http.Deps{Store: products, Reader: cached, Imports: imports.New(products)}), nil
}
