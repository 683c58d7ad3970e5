package saga

import "context"

// The actions of a step, as Key and the log have them.
const (
	actionDo   = "do"
	actionUndo = "undo"
	actionDone = "done"
)

type keyOf struct{ name, id, step, action string }

type keyKey struct{}

// Key is what the action that runs with ctx sends to its callee as idempotency key: saga/id/step/do or saga/id/step/undo. It
// is the same at each attempt. Outside a step it is "".
func Key(ctx context.Context) string {
	if k, ok := ctx.Value(keyKey{}).(keyOf); ok {
		return k.name + "/" + k.id + "/" + k.step + "/" + k.action
	}
	return ""
}

// DoKey is the key that the step's Do has or had; an Undo names by it what it undoes.
func DoKey(ctx context.Context) string {
	if k, ok := ctx.Value(keyKey{}).(keyOf); ok {
		return k.name + "/" + k.id + "/" + k.step + "/" + actionDo
	}
	return ""
}

type causeKey struct{}

// Cause is the text of the error for which the saga compensates, in an Undo and in Done; "" in a saga that does not.
func Cause(ctx context.Context) string {
	cause, _ := ctx.Value(causeKey{}).(string)
	return cause
}
