package httpserver

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// Register serves a handler through the strict server that oapi-codegen generates, so that whatever error an operation
// returns, or its request has, is answered as a problem:
//
//	httpserver.Register(router, api.StrictServerInterface(handler), api.NewStrictHandlerWithOptions, api.RegisterHandlersWithOptions)
//
// The conversion is needed for the compiler to infer the other types; it also checks the handler.
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
	server := strict(handler, []Wrap{Detach[Handler]}, StrictOptions(struct {
		RequestErrorHandlerFunc  func(*gin.Context, error)
		HandlerErrorFunc         func(*gin.Context, error)
		ResponseErrorHandlerFunc func(*gin.Context, error)
	}{RequestErrors, StrictErrors, StrictErrors}))
	register(router, server, ServerOptions(struct {
		BaseURL      string
		Middlewares  []Middleware
		ErrorHandler func(*gin.Context, error, int)
	}{ErrorHandler: BindErrors}))
}

// StrictErrors answers with the problem that a handler's error is: HandlerErrorFunc and ResponseErrorHandlerFunc of the
// generated StrictGinServerOptions.
func StrictErrors(c *gin.Context, err error) { problem.Abort(c, err) }

// RequestErrors answers 400 to a body that cannot be decoded: RequestErrorHandlerFunc of StrictGinServerOptions.
func RequestErrors(c *gin.Context, err error) {
	var tooLarge *http.MaxBytesError
	var known *problem.Problem
	if errors.As(err, &tooLarge) || errors.As(err, &known) {
		problem.Abort(c, err)
		return
	}
	problem.Abort(c, problem.BadRequest("malformed_body", "The body cannot be decoded.").WithCause(err))
}

// BindErrors answers to a parameter that cannot be bound: ErrorHandler of GinServerOptions. The generated messages name
// the parameter before the first colon and may show its value after it.
func BindErrors(c *gin.Context, err error, status int) {
	detail, _, _ := strings.Cut(err.Error(), ":")
	problem.Abort(c, problem.New(status, "invalid_parameters", detail+".").WithCause(err))
}

// Detach is a strict middleware that gives the handler a context of its own instead of gin's, which gin uses again for
// the next request: a database driver's goroutine may look at a context a moment after the handler has returned.
func Detach[Handler ~func(*gin.Context, any) (any, error)](next Handler, _ string) Handler {
	return func(c *gin.Context, request any) (any, error) { return next(c.Copy(), request) }
}
