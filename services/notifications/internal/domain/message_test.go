package domain

import (
	"strings"
	"testing"
)

func TestIDIsTheEventsAlone(t *testing.T) {
	id := ID("users", "1")
	if id != ID("users", "1") {
		t.Error("an event has two ids")
	}
	for _, other := range []string{ID("users", "2"), ID("orders", "1"), ID("user", "s\n1")} {
		if other == id {
			t.Error("two events have one id")
		}
	}
}

func TestLetterSaysWhatHappened(t *testing.T) {
	for _, kind := range Kinds {
		m := Message{Kind: kind, OrderID: "o-1", Amount: "12.50 EUR", Reason: "it is not in stock"}
		want := map[Kind][]string{
			Welcome:        {"Welcome"},
			OrderCompleted: {"o-1", "12.50 EUR", "complete"},
			OrderCancelled: {"o-1", "12.50 EUR", "cancelled: it is not in stock", "given back"},
			Shipped:        {"o-1", "on its way"},
		}[kind]
		subject, text := m.Letter("Ada")
		for _, part := range append(want, "Hello Ada,") {
			if !strings.Contains(subject+"\n"+text, part) {
				t.Errorf("%s: %q is missing in %q", kind, part, text)
			}
		}
		if subject == "" || kind != Welcome && !strings.Contains(subject, "o-1") {
			t.Errorf("%s: subject %q", kind, subject)
		}
	}
}
