// Package store keeps dashboards in memory.
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
var ErrNotFound = errors.New("dashboard not found")

// Dashboard is what the service keeps.
type Dashboard struct {
	ID        string
	Name      string
	CreatedAt time.Time
}

// Store keeps dashboards.
type Store struct {
	mu         sync.RWMutex
	dashboards map[string]Dashboard
}

// New makes an empty store.
func New() *Store {
	return &Store{dashboards: map[string]Dashboard{}}
}

// Create keeps a dashboard for as long as the service runs.
func (s *Store) Create(_ context.Context, dashboard Dashboard) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dashboards[dashboard.ID] = dashboard
	return nil
}

// Get gives the dashboard of an id, or ErrNotFound.
func (s *Store) Get(_ context.Context, id string) (Dashboard, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	dashboard, ok := s.dashboards[id]
	if !ok {
		return Dashboard{}, ErrNotFound
	}
	return dashboard, nil
}

// List gives at most limit dashboards with ids greater than after, in the order of their ids.
func (s *Store) List(_ context.Context, after string, limit int) ([]Dashboard, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var page []Dashboard
	for _, id := range slices.Sorted(maps.Keys(s.dashboards)) {
		if id > after && len(page) < limit {
			page = append(page, s.dashboards[id])
		}
	}
	return page, nil
}
