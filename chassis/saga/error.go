package saga

import (
	"errors"
	"strings"
)

// verdict is what an error says of an attempt beside its text.
type verdict struct {
	error
	permanent bool
	harmless  bool
	misfit    bool // the saga does not fit the definition, so it can go neither on nor back
}

func (v verdict) Unwrap() error { return v.error }

func judge(err error, permanent, harmless bool) error {
	if err == nil {
		return nil
	}
	old := verdictOf(err)
	return verdict{err, permanent || old.permanent, harmless || old.harmless, old.misfit}
}

func verdictOf(err error) verdict {
	var v verdict
	errors.As(err, &v)
	return v
}

// Refused marks the error of a step that was turned down: it certainly had no effect, and it is no use to ask again. No stock
// is left, or the card is declined. The saga compensates the steps before it.
func Refused(err error) error { return judge(err, true, true) }

// NoEffect marks the error of an attempt that certainly had no effect but may be repeated: the callee could not be connected
// to, say. A timeout is no such error.
func NoEffect(err error) error { return judge(err, false, true) }

// Permanent marks an error that another attempt would meet again, though the step may have had an effect. A Do is compensated
// at once, beginning with its own Undo; an Undo parks its saga at once.
func Permanent(err error) error { return judge(err, true, false) }

// misfit is the error of an attempt that could not begin.
func misfit(err error) error { return verdict{err, true, true, true} }

const longestError = 500

func shorten(err error) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", "?"), "?")
	if len(text) > longestError {
		text = strings.ToValidUTF8(text[:longestError], "")
	}
	return text
}
