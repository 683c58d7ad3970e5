package chassis

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/eventstore"
)

func TestProjectionsRunAndAreRebuiltThroughTheAdminPort(t *testing.T) {
	type happened struct{ N int }
	var store *eventstore.Store
	var projector *eventstore.Projector
	s, stop := serving(t, Spec{Name: "shop", Database: true}, func(ctx context.Context, s *Service) error {
		db, err := s.Database(ctx, nil)
		if err != nil {
			return err
		}
		if err := s.Migrate(ctx, db, eventstore.Migrations()); err != nil {
			return err
		}
		types := eventstore.NewTypes()
		eventstore.Define[happened](types, "happened", 1)
		if store, err = eventstore.New(db, types, eventstore.Options{}); err != nil {
			return err
		}
		none := func(context.Context, eventstore.Tx) error { return nil }
		projector, err = eventstore.NewProjector(store, eventstore.ProjectorOptions{}, eventstore.Projection{
			Name: "seen", Drop: none, Handle: func(context.Context, eventstore.Tx, eventstore.Recorded) error { return nil },
		})
		if err != nil {
			return err
		}
		s.Projections(projector)
		return nil
	}, Options{Environ: environment("APP_DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "shop.db"))})
	commit, err := store.Append(t.Context(), "s", eventstore.NoStream, happened{1})
	if err != nil {
		t.Fatal(err)
	}
	if err := projector.WaitFor(t.Context(), "seen", commit.Position); err != nil {
		t.Error(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.AdminAddr()+"/projections/seen/rebuild", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusAccepted || !strings.Contains(string(text), `"generation":2`) {
		t.Errorf("%d %s, %v", answer.StatusCode, text, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
