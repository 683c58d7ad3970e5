package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// defaultFaults is the size of a page of rows that were left out, when the request names none.
const defaultFaults = 100

// ListImportErrors gives a page of the rows that were left out.
func (h *Handler) ListImportErrors(ctx context.Context, request api.ListImportErrorsRequestObject) (api.ListImportErrorsResponseObject, error) {
	after, limit := int64(0), defaultFaults
	if request.Params.After != nil {
		after = *request.Params.After
	}
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	faults, err := h.Imports.Faults(ctx, request.ID, after, limit+1) // one more shows whether there is a next page
	if err != nil {
		return nil, refusal(err)
	}
	answer := api.ListImportErrors200JSONResponse{Items: []api.ImportError{}}
	for i, f := range faults {
		if i == limit {
			answer.Next = &faults[i-1].Line
			break
		}
		item := api.ImportError{Line: f.Line, Detail: f.Detail}
		if f.Field != "" {
			item.Column = &f.Field
		}
		answer.Items = append(answer.Items, item)
	}
	return answer, nil
}
