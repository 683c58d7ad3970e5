package http

import (
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/expect/expecttest"
	"github.com/trellis-mesh/trellis/services/users/api"
)

func TestConsumersGetWhatTheyExpect(t *testing.T) {
	expecttest.Verify(t, "users", api.Contract, map[string]expecttest.State{
		"there is no user": func(t *testing.T) expecttest.Service {
			return expecttest.Service{Handler: serve(t, Deps{Store: &fakeStore{}})}
		},
		"there is the user ada": func(t *testing.T) expecttest.Service {
			h := serve(t, Deps{Store: &fakeStore{}})
			var created api.User
			call(t, h, "POST", "/v1/users", ada, http.StatusCreated, &created)
			return expecttest.Service{Handler: h, Names: map[string]string{"ada": created.ID}}
		},
	})
}

func TestConsumersCanReadTheEvents(t *testing.T) {
	kept, published := &fakeStore{}, map[string][]byte{}
	var created api.User
	call(t, serve(t, Deps{Store: kept}), "POST", "/v1/users", ada, http.StatusCreated, &created)
	for _, e := range kept.events {
		published[e.Type()] = e.Data()
	}
	expecttest.VerifyEvents(t, "users", published)
}
