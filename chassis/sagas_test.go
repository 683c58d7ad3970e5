package chassis

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/saga"
)

// desk has one parked saga, until it is resumed.
type desk struct{ resumed, skipped string }

func (d *desk) Name() string { return "trips" }

func (d *desk) Parked(context.Context, int) ([]saga.Case, error) {
	if d.resumed != "" {
		return nil, nil
	}
	return []saga.Case{{Saga: "trips", ID: "a/b", LastError: "the hotel is full"}}, nil
}

func (d *desk) Resume(_ context.Context, id string) error {
	d.resumed = id
	return nil
}

func (d *desk) Skip(_ context.Context, id string) error {
	d.skipped = id
	return errors.New("secret of the store")
}

func TestParkedSagasAreShownOnTheAdminPort(t *testing.T) {
	d := &desk{}
	s, stop := serving(t, Spec{Name: "shop"}, func(_ context.Context, s *Service) error {
		s.Sagas(d)
		return nil
	}, Options{Environ: environment()})
	ask := func(method, path string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.AdminAddr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	if status, text := ask("GET", "/sagas"); status != http.StatusOK || !strings.Contains(text, "the hotel is full") {
		t.Errorf("status %d, %s", status, text)
	}
	if status, text := ask("POST", "/sagas/trips/1/skip"); status != http.StatusInternalServerError || strings.Contains(text, "secret") || d.skipped != "1" {
		t.Errorf("status %d, %s", status, text)
	}
	if status, text := ask("POST", "/sagas/trips/a%2Fb/resume"); status != http.StatusNoContent || d.resumed != "a/b" {
		t.Errorf("status %d, %s; resumed %q", status, text, d.resumed)
	}
	if status, text := ask("GET", "/sagas"); status != http.StatusOK || strings.TrimSpace(text) != `{"parked":[]}` {
		t.Errorf("status %d, %s", status, text)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
