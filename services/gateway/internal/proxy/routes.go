package proxy

import (
	"net/url"
	"strings"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// Route is where the requests to one of the gateway's operations go.
type Route struct {
	Service   string // a declared callee
	Operation string // of the callee's contract
	Path      string // of that operation
	// Envelope says that clients of version 1 get the answer in the envelope that they were written for. Operations without it came
	// after that version.
	Envelope bool
}

// Routes has every operation of the contract. Suppliers, and products where a flag says so, come from the monolith in its own
// form: package strangler asks for them and translates.
var Routes = map[string]Route{
	"listProducts":       {Service: "catalog", Operation: "listProducts", Path: "/v1/products", Envelope: true},
	"getProduct":         {Service: "catalog", Operation: "getProduct", Path: "/v1/products/{id}", Envelope: true},
	"createProduct":      {Service: "catalog", Operation: "createProduct", Path: "/v1/products", Envelope: true},
	"createUser":         {Service: "users", Operation: "createUser", Path: "/v1/users", Envelope: true},
	"getUser":            {Service: "users", Operation: "getUser", Path: "/v1/users/{id}", Envelope: true},
	"listOrders":         {Service: "orders", Operation: "listOrders", Path: "/v1/orders", Envelope: true},
	"createOrder":        {Service: "orders", Operation: "createOrder", Path: "/v1/orders", Envelope: true},
	"getOrder":           {Service: "orders", Operation: "getOrder", Path: "/v1/orders/{id}", Envelope: true},
	"getOrderDetails":    {Service: "bff-web", Operation: "getOrderDetails", Path: "/v1/orders/{id}"},
	"getDashboard":       {Service: "bff-web", Operation: "getDashboard", Path: "/v1/dashboard"},
	"getMobileDashboard": {Service: "bff-mobile", Operation: "getDashboard", Path: "/v1/dashboard"},
	"listSuppliers":      {Service: "legacy", Operation: "monolithListSuppliers", Path: "/monolith/suppliers"},
	"getSupplier":        {Service: "legacy", Operation: "monolithGetSupplier", Path: "/monolith/suppliers/{id}"},
}

// Enveloped tells whether clients of version 1 get the operation's answers in an envelope.
func Enveloped(operation string) bool { return Routes[operation].Envelope }

// path is the callee's path for an id. One that consists of dots alone would lead elsewhere, and cannot be escaped (RFC 3986,
// section 5.2.4).
func (r Route) path(id string) (string, error) {
	if id == "." || id == ".." {
		return "", problem.NotFound("route_not_found", "There is nothing at this path.")
	}
	return strings.Replace(r.Path, "{id}", url.PathEscape(id), 1), nil
}
