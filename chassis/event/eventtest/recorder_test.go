package eventtest_test

import (
	"errors"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
)

func TestRecorderHoldsBackWhatStandsBehindAFailure(t *testing.T) {
	made := errors.New("made by the test")
	first := true
	r := &eventtest.Recorder{Fail: func(e event.Event) error {
		if e.Subject() == "bad" && first {
			first = false
			return made
		}
		return nil
	}}
	var events []event.Event
	for _, key := range []string{"bad", "bad", "good"} {
		e, err := event.New("a.v1", key, nil)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	err := r.Publish(t.Context(), events...)
	if !errors.Is(err, made) || !errors.Is(err, event.ErrHeld) {
		t.Errorf("got %v", err)
	}
	if got := r.Events(); len(got) != 1 || got[0].Subject() != "good" {
		t.Errorf("remembered %v", got)
	}
}
