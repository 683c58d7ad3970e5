package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// IDs are the names under which a request is found again: Request is of one hop, Correlation is of everything that
// follows from one outside event, across services and messages.
type IDs struct {
	Request, Correlation string
}

// IDsKey is the context key under which IDs answer Value. Only a context type that carries ids itself, as the HTTP
// server's does to save an allocation, needs it; everyone else calls WithIDs and ContextIDs.
type IDsKey struct{}

// WithIDs gives a context whose logs and outgoing calls carry the ids.
func WithIDs(ctx context.Context, ids IDs) context.Context {
	return context.WithValue(ctx, IDsKey{}, &ids)
}

// ContextIDs gives the context's ids; empty ones when there are none.
func ContextIDs(ctx context.Context) IDs {
	if ids, ok := ctx.Value(IDsKey{}).(*IDs); ok {
		return *ids
	}
	return IDs{}
}

// TraceID gives the context's trace id in hex, or "" outside a trace.
func TraceID(ctx context.Context) string {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.HasTraceID() {
		return ""
	}
	return sc.TraceID().String()
}

// maxID is the longest id taken from outside; a UUID has 36 characters, a trace id 32.
const maxID = 128

// ValidID reports whether an id from outside is fit for logs and headers: 1 to 128 letters, digits and -_.:/+=@ .
func ValidID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		if !idByte[id[i]] {
			return false
		}
	}
	return true
}

var idByte = func() (ok [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/+=@") {
		ok[b] = true
	}
	return ok
}()
