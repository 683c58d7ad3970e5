package eventstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
)

// An account's opening had three shapes: an amount in units, then in cents, then with its currency.
type (
	openedV1 struct{ Units int64 }
	openedV2 struct{ Cents int64 }
	openedV3 struct {
		Cents    int64
		Currency string
	}
)

var errNegative = errors.New("it is negative")

func evolved() *eventstore.Types {
	types := eventstore.NewTypes()
	eventstore.Define[openedV3](types, "account.opened", 3)
	eventstore.Upcast(types, "account.opened", 1, func(old openedV1) (openedV2, error) {
		if old.Units < 0 {
			return openedV2{}, errNegative
		}
		return openedV2{100 * old.Units}, nil
	})
	eventstore.Upcast(types, "account.opened", 2, func(old openedV2) (openedV3, error) {
		if old.Cents == 666 {
			panic("not this one")
		}
		return openedV3{old.Cents, "EUR"}, nil
	})
	return types
}

func upcasting(t *testing.T, db *database.DB) {
	first := eventstore.NewTypes()
	eventstore.Define[openedV1](first, "account.opened", 1)
	old := must[*eventstore.Store](t)(eventstore.New(db, first, eventstore.Options{}))
	mustAppend(t, old, "a", eventstore.NoStream, openedV1{10})
	store := must[*eventstore.Store](t)(eventstore.New(db, evolved(), eventstore.Options{}))
	mustAppend(t, store, "a", 1, openedV3{5, "USD"})
	events := must[[]eventstore.Recorded](t)(store.Load(t.Context(), "a", eventstore.Range{}))
	if events[0].Data != any(openedV3{1000, "EUR"}) || events[0].Schema != 1 || events[1].Data != any(openedV3{5, "USD"}) || events[1].Schema != 3 {
		t.Errorf("%+v", events)
	}
	var stored string
	if err := db.NewSelect().Table("eventstore_event").Column("data").Where("version = 1").Scan(t.Context(), &stored); err != nil || stored != `{"Units":10}` {
		t.Errorf("stored: %s, %v", stored, err)
	}
	_, err := old.Load(t.Context(), "a", eventstore.Range{}) // an older replica
	if !errors.Is(err, eventstore.ErrUnknownType) || !strings.Contains(err.Error(), "account.opened version 3") {
		t.Errorf("newer than known: %v", err)
	}
}

func unknownType(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	mustAppend(t, store, "a", eventstore.NoStream, deposited{1})
	execute(t, db, "UPDATE eventstore_event SET type = 'money.burnt'")
	_, err := store.Load(t.Context(), "a", eventstore.Range{})
	if !errors.Is(err, eventstore.ErrUnknownType) || !strings.Contains(err.Error(), "money.burnt") || !strings.Contains(err.Error(), "version 1 of a") {
		t.Errorf("got %v", err)
	}
}

func TestUpcastsThatFailSayWhere(t *testing.T) {
	types := evolved()
	for data, want := range map[string]string{
		`{"Units":-1}`:  "upcast account.opened from version 1: it is negative",
		`{"Units":"x"}`: "upcast account.opened from version 1: json",
		``:              "upcast account.opened from version 1: unexpected end",
	} {
		if _, err := eventstore.Decode(types, "account.opened", 1, []byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", data, err, want)
		}
	}
	if _, err := eventstore.Decode(types, "account.opened", 2, []byte(`{"Cents":666}`)); err == nil || !strings.Contains(err.Error(), "not this one") {
		t.Errorf("panic: %v", err)
	}
	if _, err := eventstore.Decode(types, "account.opened", 0, []byte(`{}`)); !errors.Is(err, eventstore.ErrUnknownType) {
		t.Errorf("version 0: %v", err)
	}
}

func TestMistakesInTypesAreFoundAtTheStart(t *testing.T) {
	for want, define := range map[string]func(*eventstore.Types){
		"no Upcast from version 2": func(types *eventstore.Types) {
			eventstore.Define[openedV3](types, "a", 3)
			eventstore.Upcast(types, "a", 1, func(openedV1) (openedV2, error) { return openedV2{}, nil })
		},
		"leads nowhere": func(types *eventstore.Types) {
			eventstore.Define[openedV1](types, "a", 1)
			eventstore.Upcast(types, "a", 1, func(openedV1) (openedV2, error) { return openedV2{}, nil })
		},
		"no Define": func(types *eventstore.Types) {
			eventstore.Upcast(types, "a", 1, func(openedV1) (openedV2, error) { return openedV2{}, nil })
		},
		"defined twice": func(types *eventstore.Types) {
			eventstore.Define[openedV1](types, "a", 1)
			eventstore.Define[openedV2](types, "a", 1)
		},
		"are both": func(types *eventstore.Types) {
			eventstore.Define[openedV1](types, "a", 1)
			eventstore.Define[openedV1](types, "b", 1)
		},
		"two upcasts": func(types *eventstore.Types) {
			eventstore.Define[openedV2](types, "a", 2)
			for range 2 {
				eventstore.Upcast(types, "a", 1, func(openedV1) (openedV2, error) { return openedV2{}, nil })
			}
		},
		"the first one is 1": func(types *eventstore.Types) { eventstore.Define[openedV1](types, "a", 0) },
		"is a pointer":       func(types *eventstore.Types) { eventstore.Define[*openedV1](types, "a", 1) },
		"type is empty":      func(types *eventstore.Types) { eventstore.Define[openedV1](types, "", 1) },
	} {
		types := eventstore.NewTypes()
		define(types)
		if _, err := eventstore.New(&database.DB{}, types, eventstore.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// FuzzDecode reads any stored text in any version: it gives an event or an error, and what every version can say is read
// the same from each.
func FuzzDecode(f *testing.F) {
	f.Add("account.opened", 1, []byte(`{"Units":1}`))
	f.Add("account.opened", 2, []byte(`{"Cents":666}`))
	f.Add("account.opened", 3, []byte(`{"Cents":1,"Currency":"\u0000"}`))
	f.Add("account.closed", 1, []byte(`{}`))
	types := evolved()
	f.Fuzz(func(t *testing.T, name string, version int, data []byte) {
		event, err := eventstore.Decode(types, name, version, data)
		if (event == nil) == (err == nil) && err == nil {
			t.Fatal("neither an event nor an error")
		}
		if err != nil {
			return
		}
		got, ok := event.(openedV3)
		if !ok {
			t.Fatalf("%T is not the current shape", event)
		}
		var old openedV1
		if version == 1 && json.Unmarshal(data, &old) == nil && got != (openedV3{100 * old.Units, "EUR"}) {
			t.Fatalf("%s became %+v", data, got)
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := eventstore.Decode(types, name, 3, again); err != nil || back != event {
			t.Fatal(fmt.Errorf("%s: %+v, %w", again, back, err))
		}
	})
}
