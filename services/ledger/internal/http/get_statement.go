package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/ledger/api"
)

// GetStatement is to be written: GET /v1/accounts/{id}/statement.
func (h *Handler) GetStatement(_ context.Context, _ api.GetStatementRequestObject) (api.GetStatementResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getStatement is not written yet.")
}
