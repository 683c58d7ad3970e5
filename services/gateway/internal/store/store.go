// Package store keeps routes in memory.
package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// ErrNotFound is what Get gives for an id that is not known.
var ErrNotFound = errors.New("route not found")

// Route is what the service keeps.
type Route struct {
	ID        string
	Name      string
	CreatedAt time.Time
}

// Store keeps routes.
type Store struct {
	mu     sync.RWMutex
	routes map[string]Route
}

// New makes an empty store.
func New() *Store {
	return &Store{routes: map[string]Route{}}
}

// Create keeps a route for as long as the service runs.
func (s *Store) Create(_ context.Context, route Route) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes[route.ID] = route
	return nil
}

// Get gives the route of an id, or ErrNotFound.
func (s *Store) Get(_ context.Context, id string) (Route, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	route, ok := s.routes[id]
	if !ok {
		return Route{}, ErrNotFound
	}
	return route, nil
}

// List gives at most limit routes with ids greater than after, in the order of their ids.
func (s *Store) List(_ context.Context, after string, limit int) ([]Route, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var page []Route
	for _, id := range slices.Sorted(maps.Keys(s.routes)) {
		if id > after && len(page) < limit {
			page = append(page, s.routes[id])
		}
	}
	return page, nil
}
