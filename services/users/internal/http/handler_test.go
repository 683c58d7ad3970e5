package http

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
)

// serve is the API as the service has it, contract validation included, on what the test gives.
func serve(t *testing.T, deps Deps) http.Handler {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "users", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	api.Register(server.Router(), New(deps))
	return server.Handler()
}

// call sends a request and reads the JSON answer into out, after it has checked the status.
func call(t *testing.T, h http.Handler, method, path, body string, status int, out any) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d; %s", method, path, w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
}

// fakeStore is a Store in memory.
type fakeStore struct {
	users   []store.User
	clients []store.Client
	events  []event.Event
	err     error
}

func (f *fakeStore) UserByEmail(_ context.Context, email string) (store.User, error) {
	for _, user := range f.users {
		if user.Email == email {
			return user, f.err
		}
	}
	return store.User{}, cmp.Or(f.err, store.ErrNotFound)
}

func (f *fakeStore) Client(_ context.Context, id string) (store.Client, error) {
	for _, client := range f.clients {
		if client.ID == id {
			return client, f.err
		}
	}
	return store.Client{}, cmp.Or(f.err, store.ErrNotFound)
}

func (f *fakeStore) Create(_ context.Context, user store.User, events ...event.Event) error {
	f.users = append(f.users, user)
	f.events = append(f.events, events...)
	return f.err
}

func (f *fakeStore) Get(_ context.Context, id string) (store.User, error) {
	for _, user := range f.users {
		if user.ID == id {
			return user, f.err
		}
	}
	return store.User{}, cmp.Or(f.err, store.ErrNotFound)
}

const ada = `{"name": "Ada", "email": "Ada@example.com"}`

func TestCreatedUserCanBeGot(t *testing.T) {
	h := serve(t, Deps{Store: &fakeStore{}})
	var created, got api.User
	call(t, h, "POST", "/v1/users", ada, http.StatusCreated, &created)
	if created.ID == "" || created.Name != "Ada" || created.Email != "ada@example.com" || created.CreatedAt.IsZero() {
		t.Errorf("created %+v", created)
	}
	call(t, h, "GET", "/v1/users/"+created.ID, "", http.StatusOK, &got)
	if got.ID != created.ID || got.Name != created.Name || !got.CreatedAt.Equal(created.CreatedAt) {
		t.Errorf("got %+v, want %+v", got, created)
	}
}

func TestCreateUserRefusesWhatTheContractDoesNotAllow(t *testing.T) {
	h := serve(t, Deps{Store: &fakeStore{}})
	for _, body := range []string{`{}`, `{"name": "Ada"}`, `{"name": "", "email": "a@b"}`, `{"name": "Ada", "email": "ada"}`, `{"name": 1, "email": "a@b"}`, `[]`} {
		var refused problem.Problem
		call(t, h, "POST", "/v1/users", body, http.StatusUnprocessableEntity, &refused)
		if refused.Code == "" {
			t.Errorf("%s: a problem without a code: %+v", body, refused)
		}
	}
}

func TestCreateUserAnnouncesIt(t *testing.T) {
	kept := &fakeStore{}
	var created api.User
	call(t, serve(t, Deps{Store: kept}), "POST", "/v1/users", ada, http.StatusCreated, &created)
	var types []string
	for _, e := range kept.events {
		types = append(types, e.Type())
		if e.Subject() != created.ID {
			t.Errorf("%s is about %q, want %q", e.Type(), e.Subject(), created.ID)
		}
	}
	if want := []string{api.UserCreatedV1Type}; !slices.Equal(types, want) {
		t.Errorf("announced %v, want %v", types, want)
	}
}

func TestGetUserOfAnUnknownID(t *testing.T) {
	var missing problem.Problem
	call(t, serve(t, Deps{Store: &fakeStore{}}), "GET", "/v1/users/unknown", "", http.StatusNotFound, &missing)
	if missing.Code != "user_not_found" {
		t.Errorf("code %q", missing.Code)
	}
}

func TestGetUserTellsNothingOfAFailingStore(t *testing.T) {
	var failed problem.Problem
	h := serve(t, Deps{Store: &fakeStore{err: errors.New("secret of the store")}})
	call(t, h, "GET", "/v1/users/1", "", http.StatusInternalServerError, &failed)
	if strings.Contains(failed.Detail, "secret") {
		t.Errorf("detail %q", failed.Detail)
	}
}

func TestCreateUserWithAnAddressThatIsTaken(t *testing.T) {
	var refused problem.Problem
	call(t, serve(t, Deps{Store: &fakeStore{err: store.ErrTaken}}), "POST", "/v1/users", ada, http.StatusConflict, &refused)
	if refused.Code != "email_taken" {
		t.Errorf("code %q", refused.Code)
	}
}
