package http

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/catalog/internal/imports"
)

// UploadImport takes a piece of a file.
func (h *Handler) UploadImport(ctx context.Context, request api.UploadImportRequestObject) (api.UploadImportResponseObject, error) {
	complete := request.Params.UploadComplete != nil && *request.Params.UploadComplete == "?1"
	received, err := h.Imports.Receive(ctx, request.ID, request.Params.UploadOffset, complete, request.Body)
	switch {
	case err == nil:
		return api.UploadImport200JSONResponse{
			Body: presentImport(received), Headers: api.UploadImport200ResponseHeaders{UploadOffset: &received.Offset},
		}, nil
	case errors.Is(err, imports.ErrOffset):
		return elsewhere(ctx, received.Offset, problem.Conflict("offset_wrong",
			"The piece does not begin where the import is. The header Upload-Offset says where that is.")), nil
	case errors.Is(err, imports.ErrComplete):
		return elsewhere(ctx, received.Offset, problem.Conflict("import_complete", "All of the file is there already.")), nil
	}
	return nil, refusal(err)
}

// misplaced is the answer to a piece that does not go on where the import is.
type misplaced struct {
	request *http.Request
	offset  int64
	problem *problem.Problem
}

func elsewhere(ctx context.Context, offset int64, p *problem.Problem) misplaced {
	r, _ := ctx.Value(gin.ContextRequestKey).(*http.Request)
	return misplaced{r, offset, p}
}

// VisitUploadImportResponse implements the answer of uploadImport.
func (m misplaced) VisitUploadImportResponse(w http.ResponseWriter) error {
	w.Header().Set("Upload-Offset", strconv.FormatInt(m.offset, 10))
	problem.Write(w, m.request, m.problem)
	return nil
}
