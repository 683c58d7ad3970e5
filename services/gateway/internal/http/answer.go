package http

import (
	"net/http"

	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
)

// answer is what any operation answers: a status, headers and a body as they have come.
type answer struct {
	*proxy.Answer
}

// VisitGetDashboardResponse sends the answer.
func (a answer) VisitGetDashboardResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitGetMobileDashboardResponse sends the answer.
func (a answer) VisitGetMobileDashboardResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitListOrdersResponse sends the answer.
func (a answer) VisitListOrdersResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitCreateOrderResponse sends the answer.
func (a answer) VisitCreateOrderResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitGetOrderResponse sends the answer.
func (a answer) VisitGetOrderResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitGetOrderDetailsResponse sends the answer.
func (a answer) VisitGetOrderDetailsResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitListProductsResponse sends the answer.
func (a answer) VisitListProductsResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitCreateProductResponse sends the answer.
func (a answer) VisitCreateProductResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitGetProductResponse sends the answer.
func (a answer) VisitGetProductResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitListSuppliersResponse sends the answer.
func (a answer) VisitListSuppliersResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitGetSupplierResponse sends the answer.
func (a answer) VisitGetSupplierResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitCreateUserResponse sends the answer.
func (a answer) VisitCreateUserResponse(w http.ResponseWriter) error { return a.Send(w) }

// VisitGetUserResponse sends the answer.
func (a answer) VisitGetUserResponse(w http.ResponseWriter) error { return a.Send(w) }
