package http

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/services/users/api"
)

func TestUsersReachThemselvesOnly(t *testing.T) {
	h := serve(t, Deps{Store: &fakeStore{}, Summaries: &fakeSummaries{}})
	var created api.User
	call(t, h, "POST", "/v1/users", ada, http.StatusCreated, &created)
	status := func(user, method, path, body string) int {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(authtest.UserHeader, user)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for _, c := range []struct {
		method, path, body string
		own, others        int
	}{
		{"GET", "/v1/users/" + created.ID, "", 200, 403},
		{"GET", "/v1/users/" + created.ID + "/summary", "", 200, 403},
		{"GET", "/v1/users", "", 403, 403},
	} {
		if got := status("mallory", c.method, c.path, c.body); got != c.others {
			t.Errorf("%s %s of another user: status %d, want %d", c.method, c.path, got, c.others)
		}
		if got := status(created.ID, c.method, c.path, c.body); got != c.own {
			t.Errorf("%s %s of one's own: status %d, want %d", c.method, c.path, got, c.own)
		}
	}
}
