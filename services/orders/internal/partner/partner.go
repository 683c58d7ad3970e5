// Package partner asks inventory, payments and shipping, over HTTP, for their parts of an order.
//
// The calls are made for the order and not for whoever placed it, so they carry no access token: the mesh knows that it is orders who
// asks.
package partner

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/trellis-mesh/trellis/services/orders/internal/app"
)

// verdict is what an answer means: nil for success, a refusal for what the partner says no to, and else an error after which nobody
// knows.
func verdict(doing string, status int, body []byte) error {
	var problem struct{ Code string }
	_ = json.Unmarshal(body, &problem) // an answer of a proxy has none
	switch status {
	case http.StatusOK, http.StatusNoContent:
		return nil
	case http.StatusConflict, http.StatusUnprocessableEntity:
		return fmt.Errorf("%s: %w", doing, &app.Refusal{Reason: cmp.Or(problem.Code, "refused")})
	}
	return fmt.Errorf("%s: status %d %s", doing, status, problem.Code)
}

// unread is an answer of success without what it should tell.
func unread(doing string) error { return fmt.Errorf("%s: the answer cannot be read", doing) }

// vote is what a vote means.
func vote(doing, vote string, reason *string) error {
	switch vote {
	case "yes":
		return nil
	case "no":
		return fmt.Errorf("%s: %w", doing, &app.Refusal{Reason: given(reason, "refused")})
	}
	return unread(doing)
}

// given is a text that an answer may leave out.
func given(text *string, otherwise string) string {
	if text == nil || *text == "" {
		return otherwise
	}
	return *text
}
