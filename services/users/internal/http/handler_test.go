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
	"time"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
	"github.com/trellis-mesh/trellis/services/users/internal/summary"
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

	requests []string
	listed   []any
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

func (f *fakeStore) Create(_ context.Context, r store.Registration) (store.User, error) {
	f.users = append(f.users, r.User)
	f.events = append(f.events, r.Events...)
	f.requests = append(f.requests, r.Request)
	return r.User, f.err
}

func (f *fakeStore) List(_ context.Context, from, to, after string, limit int) ([]store.User, string, error) {
	f.listed = []any{from, to, after, limit}
	if limit < len(f.users) {
		return f.users[:limit], "next", f.err
	}
	return f.users, "", f.err
}

func (f *fakeStore) Get(_ context.Context, id string) (store.User, error) {
	for _, user := range f.users {
		if user.ID == id {
			return user, f.err
		}
	}
	return store.User{}, cmp.Or(f.err, store.ErrNotFound)
}

// fakeSummaries knows one user's.
type fakeSummaries struct {
	summary.Summary
	waited []string
	err    error
}

func (f *fakeSummaries) Get(_ context.Context, userID string) (summary.Summary, error) {
	if userID == f.UserID {
		return f.Summary, nil
	}
	return summary.Summary{UserID: userID}, nil
}

func (f *fakeSummaries) WaitFor(_ context.Context, userID, orderID string) error {
	f.waited = append(f.waited, userID+" "+orderID)
	return f.err
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
	for _, body := range []string{`{}`, `{"name": "Ada"}`, `{"name": "", "email": "a@b"}`, `{"name": "Ada", "email": "ada"}`, `{"name": 1, "email": "a@b"}`, `[]`,
		`{"name": "Ada", "email": "a@b", "region": "MARS"}`, `{"name": "Ada", "email": "a@b", "avatar": "javascript:x"}`} {
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

func TestCreateUserSaysWhenToTryAgain(t *testing.T) {
	var refused problem.Problem
	call(t, serve(t, Deps{Store: &fakeStore{err: store.ErrPending}}), "POST", "/v1/users", ada, http.StatusServiceUnavailable, &refused)
	if refused.Code != "email_pending" {
		t.Errorf("code %q", refused.Code)
	}
}

func TestUserHasARegionAndAnAvatar(t *testing.T) {
	kept := &fakeStore{}
	h := serve(t, Deps{Store: kept})
	var plain, far api.User
	call(t, h, "POST", "/v1/users", ada, http.StatusCreated, &plain)
	if plain.Region != "EU" || plain.Avatar != nil {
		t.Errorf("created %+v", plain)
	}
	call(t, h, "POST", "/v1/users", `{"name": "Mei", "email": "mei@example.com", "region": "ASIA", "avatar": "https://example.com/mei.png"}`, http.StatusCreated, &far)
	if far.Region != "ASIA" || far.Avatar == nil || *far.Avatar != "https://example.com/mei.png" || kept.users[1].Region != "ASIA" {
		t.Errorf("created %+v", far)
	}
}

func TestARepeatedRequestIsTheSameWish(t *testing.T) {
	kept := &fakeStore{}
	h := serve(t, Deps{Store: kept})
	for _, key := range []string{"a", "a", "b", ""} {
		r := httptest.NewRequest(http.MethodPost, "/v1/users", strings.NewReader(ada))
		r.Header.Set("Content-Type", "application/json")
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			t.Fatalf("status %d; %s", w.Code, w.Body)
		}
	}
	if r := kept.requests; r[0] != r[1] || r[0] == r[2] || r[0] == "a" || r[3] != "" {
		t.Errorf("wishes %q", r)
	}
}

func TestListUsersGivesPages(t *testing.T) {
	kept := aShop()
	h := serve(t, Deps{Store: kept})
	var page api.UserPage
	call(t, h, "GET", "/v1/users?from=A&to=M&after=x&limit=1", "", http.StatusOK, &page)
	if len(page.Items) != 1 || page.Items[0].ID != "u1" || page.Next == nil || *page.Next != "next" {
		t.Errorf("page %+v", page)
	}
	if want := []any{"A", "M", "x", 1}; !slices.Equal(kept.listed, want) {
		t.Errorf("listed %v, want %v", kept.listed, want)
	}
	page = api.UserPage{}
	call(t, h, "GET", "/v1/users", "", http.StatusOK, &page)
	if len(page.Items) != 2 || page.Next != nil {
		t.Errorf("page %+v", page)
	}
	var refused problem.Problem
	kept.err = store.ErrNoPage
	call(t, h, "GET", "/v1/users?from=b&to=a", "", http.StatusUnprocessableEntity, &refused)
	if refused.Code != "no_such_page" {
		t.Errorf("code %q", refused.Code)
	}
	call(t, h, "GET", "/v1/users?limit=201", "", http.StatusBadRequest, &refused)
}

func TestGetUserSummary(t *testing.T) {
	total, err := money.New("12.50", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	known := &fakeSummaries{Summary: summary.Summary{UserID: "u1", Version: 3, OrderCount: 2, LastOrderAt: time.Unix(1, 0).UTC(), Totals: []money.Money{total}}}
	h := serve(t, Deps{Store: aShop(), Summaries: known})
	var got api.UserSummary
	call(t, h, "GET", "/v1/users/u1/summary", "", http.StatusOK, &got)
	if got.UserID != "u1" || got.OrderCount != 2 || got.Version != 3 || len(got.TotalSpent) != 1 || got.TotalSpent[0] != (api.Money{Amount: "12.50", Currency: "EUR"}) ||
		got.LastOrderDate == nil || !got.LastOrderDate.Equal(known.LastOrderAt) || len(known.waited) != 0 {
		t.Errorf("summary %+v, waited for %v", got, known.waited)
	}
	var nothing map[string]any
	call(t, h, "GET", "/v1/users/u2/summary?since=o1", "", http.StatusOK, &nothing)
	if _, dated := nothing["lastOrderDate"]; dated || nothing["orderCount"] != 0.0 || !slices.Equal(known.waited, []string{"u2 o1"}) {
		t.Errorf("summary %+v, waited for %v", nothing, known.waited)
	}
	var refused problem.Problem
	call(t, h, "GET", "/v1/users/nobody/summary", "", http.StatusNotFound, &refused)
	known.err = summary.ErrBehind
	call(t, h, "GET", "/v1/users/u1/summary?since=o1", "", http.StatusServiceUnavailable, &refused)
	if refused.Code != "summary_behind" {
		t.Errorf("code %q", refused.Code)
	}
}
