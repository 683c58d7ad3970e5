package http

import (
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/services/users/api"
)

func TestUsersReachThemselvesOnly(t *testing.T) {
	h := serve(t, Deps{Store: &fakeStore{}, Summaries: &fakeSummaries{}})
	var created api.User
	call(t, h, "POST", "/v1/users", ada, http.StatusCreated, &created)
	for _, c := range []struct {
		method, path, body string
		own, others        int
	}{
		{"GET", "/v1/users/" + created.ID, "", 200, 403},
		{"GET", "/v1/users/" + created.ID + "/summary", "", 200, 403},
		{"GET", "/v1/users", "", 403, 403},
	} {
		if got := authtest.Ask(h, "mallory", c.method, c.path, c.body); got != c.others {
			t.Errorf("%s %s of another user: status %d, want %d", c.method, c.path, got, c.others)
		}
		if got := authtest.Ask(h, created.ID, c.method, c.path, c.body); got != c.own {
			t.Errorf("%s %s of one's own: status %d, want %d", c.method, c.path, got, c.own)
		}
	}
}
