package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/ledger/api"
)

// ListBalances lists the balances of all accounts, as the read model knows them.
func (h *Handler) ListBalances(ctx context.Context, request api.ListBalancesRequestObject) (api.ListBalancesResponseObject, error) {
	limit, after := 50, "" // as the contract says
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	if request.Params.After != nil {
		after = *request.Params.After
	}
	balances, err := h.ledger.Balances(ctx, after, limit+1) // one more tells whether there is another page
	if err != nil {
		return nil, err
	}
	var answer api.ListBalances200JSONResponse
	if len(balances) > limit {
		balances = balances[:limit]
		answer.Next = &balances[limit-1].ID
	}
	answer.Items = make([]api.Balance, len(balances))
	for i, b := range balances {
		answer.Items[i] = api.Balance{ID: b.ID, Owner: b.Owner, Balance: sum(b.Balance)}
	}
	return answer, nil
}
