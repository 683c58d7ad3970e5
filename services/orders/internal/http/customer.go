package http

import (
	"context"
	"errors"
	"net/http"

	"github.com/trellis-mesh/trellis/chassis/compose"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

var unknownCustomer = problem.Invalid("customer_not_found", "There is no such customer.",
	at("/customerId", "is not known to users"))

// customer asks users for the one who orders. While users is away, what its events told is good enough to take the order.
func (h *Handler) customer(ctx context.Context, id string) (domain.Customer, error) {
	answer, err := h.Clients.Users.GetUserWithResponse(ctx, id)
	switch {
	case err == nil && answer.JSON200 != nil:
		return domain.Customer{ID: answer.JSON200.ID, Name: answer.JSON200.Name}, nil
	case err == nil && answer.ApplicationProblemJSON404 != nil && answer.ApplicationProblemJSON404.Code == "user_not_found": // not a proxy's 404
		return domain.Customer{}, unknownCustomer
	case err == nil && answer.StatusCode() == http.StatusForbidden: // what users hides is not to be had here either
		return domain.Customer{}, problem.Forbidden("customer_hidden", "The access token does not allow to see who the customer is.")
	case ctx.Err() != nil: // the client of this request went away, or its time is over
		return domain.Customer{}, ctx.Err()
	}
	known, kept := h.Store.Customer(ctx, id)
	if errors.Is(kept, store.ErrNotFound) { // perhaps users knows more
		if err != nil {
			return domain.Customer{}, compose.Failed("users", err)
		}
		return domain.Customer{}, problem.BadGateway("users_failed", "The customer could not be looked up. Try again later.")
	}
	return known, kept
}
