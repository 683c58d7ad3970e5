package render

import (
	"go/format"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/internal/spec"
)

func TestStructOfAnEvent(t *testing.T) {
	schema, err := spec.ParseEvent("contracts/events/thing.known.v1.json", []byte(knownEvent))
	if err != nil {
		t.Fatal(err)
	}
	e := eventType{Type: "thing.known.v1", Go: "ThingKnownV1", Schema: schema}
	got, err := e.Struct()
	if err != nil {
		t.Fatal(err)
	}
	source, err := goSource("package api\n\n"+got, map[string]string{"time": "time"}, module)
	if err != nil {
		t.Fatal(err)
	}
	const want = `package api

import "time"

// ThingKnownV1 is the payload of thing.known.v1. A thing is known.
type ThingKnownV1 struct {
	// Its id.
	ThingID   string                  ` + "`json:\"thingId\"`" + `
	At        time.Time                ` + "`json:\"at\"`" + `
	Kind      string                  ` + "`json:\"kind\"`" + `
	ProductID *string                 ` + "`json:\"productId,omitempty\"`" + `
	Weight    *float64                 ` + "`json:\"weight,omitempty\"`" + `
	Address   *ThingKnownV1Address     ` + "`json:\"address,omitempty\"`" + `
	Lines     []ThingKnownV1LinesItem ` + "`json:\"lines\"`" + `
}

// ThingKnownV1Address is a part of thing.known.v1.
type ThingKnownV1Address struct {
	Street *string        ` + "`json:\"street,omitempty\"`" + `
	Geo    map[string]any ` + "`json:\"geo,omitempty\"`" + `
}

// ThingKnownV1LinesItem is a part of thing.known.v1.
type ThingKnownV1LinesItem struct {
	Sku   string ` + "`json:\"sku\"`" + `
	Count *int64 ` + "`json:\"count,omitempty\"`" + `
}
`
	formatted, err := format.Source([]byte(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(formatted), string(source)); diff != "" {
		t.Error(diff)
	}
}

func TestFieldsOfAnEvent(t *testing.T) {
	schema, err := spec.ParseEvent("contracts/events/thing.known.v1.json", []byte(knownEvent))
	if err != nil {
		t.Fatal(err)
	}
	e := eventType{Schema: schema}
	got := []string{e.Field("id", "thingId"), e.Field("kind"), e.Field("productId"), e.TimeField(), e.Optional("productId"), e.Optional("thingId")}
	if diff := cmp.Diff([]string{"ThingID", "", "", "At", "ProductID", ""}, got); diff != "" {
		t.Error(diff)
	}
}
