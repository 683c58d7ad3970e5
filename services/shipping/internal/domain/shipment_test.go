package domain

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rules is what is to follow from each message in each state: a state, or ! and why none does.
const rules = `
           | arrange    | withdraw   | promise    | commit     | abort      | cancel     | complete
absent:    | arranged   | cancelled  | promised   | !missing   | absent     | cancelled  | confirmed
promised:  | !promised  | !promised  | !promised  | arranged   | absent     | cancelled  | confirmed
arranged:  | arranged   | cancelled  | !arranged  | arranged   | arranged   | cancelled  | confirmed
confirmed: | confirmed  | !confirmed | !confirmed | confirmed  | !confirmed | !confirmed | confirmed
cancelled: | !cancelled | cancelled  | !cancelled | !cancelled | cancelled  | cancelled  | !cancelled
`

var parcel = Parcel{CustomerID: "ada", Address: "Main Street 1", Lines: []Line{{"tea", 2}}}

func TestEveryMessageInEveryState(t *testing.T) {
	reasons := map[string]error{
		"!missing": ErrNotArranged, "!promised": ErrPromised, "!arranged": ErrArranged, "!confirmed": ErrConfirmed, "!cancelled": ErrCancelled,
	}
	rows := strings.Split(strings.TrimSpace(strings.NewReplacer("|", "", ":", "").Replace(rules)), "\n")
	messages := strings.Fields(rows[0])
	for _, row := range rows[1:] {
		cells := strings.Fields(row)
		from := State(cells[0])
		if len(cells) != len(messages)+1 || len(outcomes[from]) != len(messages) {
			t.Fatalf("%s: %d rules and %d outcomes for %d messages", from, len(cells)-1, len(outcomes[from]), len(messages))
		}
		for i, cell := range cells[1:] {
			t.Run(cells[0]+"/"+messages[i], func(t *testing.T) {
				before := Shipment{ID: "s", OrderID: "1", State: from, Parcel: parcel}
				after, err := before.After(Says{Message: Message(messages[i]), Parcel: parcel, ID: "s"})
				if reason := reasons[cell]; reason != nil {
					if !errors.Is(err, reason) {
						t.Errorf("error %v, want %v", err, reason)
					}
					if diff := cmp.Diff(before, after); diff != "" {
						t.Errorf("a refused message has changed it: %s", diff)
					}
					return
				}
				if err != nil || after.State != State(cell) {
					t.Errorf("%s and %v, want %s", after.State, err, cell)
				}
			})
		}
	}
	if len(outcomes) != len(rows)-1 {
		t.Errorf("%d states have outcomes, %d have rules", len(outcomes), len(rows)-1)
	}
}

func TestAMessageThatIsNoneIsAnError(t *testing.T) {
	if after, err := (Shipment{State: Absent}).After(Says{Message: "shred"}); err == nil {
		t.Errorf("it was taken, and left %v", after)
	}
	if after, err := (Shipment{}).After(Says{Message: Arrange}); err == nil {
		t.Errorf("a shipment without a state became %v", after)
	}
}

func TestAShipmentKeepsTheIDThatItBeganWith(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, m := range []Message{Arrange, Promise, Complete} {
		began, err := Shipment{OrderID: "1", State: Absent}.After(Says{Message: m, Parcel: parcel, ID: "first", At: at})
		if err != nil {
			t.Fatal(err)
		}
		want := Shipment{ID: "first", OrderID: "1", State: began.State, Parcel: parcel, CreatedAt: at}
		if diff := cmp.Diff(want, began); diff != "" {
			t.Errorf("%s: %s", m, diff)
		}
		want.State = Confirmed
		ended, err := began.After(Says{Message: Complete, Parcel: parcel, ID: "second", At: at.Add(time.Hour)})
		if diff := cmp.Diff(want, ended); err != nil || diff != "" {
			t.Errorf("%s, completed: %v %s", m, err, diff)
		}
	}
	for _, m := range []Message{Withdraw, Cancel} {
		if got, err := (Shipment{State: Absent}).After(Says{Message: m, ID: "first"}); err != nil || got.ID != "" || got.Visible() {
			t.Errorf("%s: a tombstone is %v and %v", m, got, err)
		}
	}
}

func TestAnAbortedShipmentLeavesNothing(t *testing.T) {
	got, err := Shipment{ID: "s", OrderID: "1", State: Promised, Parcel: parcel}.After(Says{Message: Abort})
	if diff := cmp.Diff(Shipment{OrderID: "1", State: Absent}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestArrangeSaidAgainMustBeTheSame(t *testing.T) {
	for _, test := range []struct {
		name   string
		parcel Parcel
		want   error
	}{
		{"the same", parcel, nil},
		{"without the address", Parcel{"ada", "", parcel.Lines}, nil},
		{"another address", Parcel{"ada", "Main Street 2", parcel.Lines}, ErrDiffers},
		{"another customer", Parcel{"eve", parcel.Address, parcel.Lines}, ErrDiffers},
		{"more", Parcel{"ada", parcel.Address, []Line{{"tea", 3}}}, ErrDiffers},
	} {
		for _, state := range []State{Arranged, Confirmed} {
			if _, err := (Shipment{State: state, Parcel: parcel}).After(Says{Message: Arrange, Parcel: test.parcel}); !errors.Is(err, test.want) {
				t.Errorf("%s, %s: error %v, want %v", state, test.name, err, test.want)
			}
		}
	}
}

func TestTheAddressIsThatOfWhoeverToldItFirst(t *testing.T) {
	for _, state := range []State{Promised, Arranged} {
		for arranged, want := range map[string]string{"": "Main Street 2", "Main Street 1": "Main Street 1"} {
			before := Shipment{ID: "s", State: state, Parcel: Parcel{"ada", arranged, parcel.Lines}}
			after, err := before.After(Says{Message: Complete, Parcel: Parcel{"ada", "Main Street 2", parcel.Lines}})
			if err != nil || after.Parcel.Address != want {
				t.Errorf("%s to %q: %q and %v, want %q", state, arranged, after.Parcel.Address, err, want)
			}
		}
	}
}

func TestWhatIsNotArrangedIsNotShown(t *testing.T) {
	for state, want := range map[State]bool{Absent: false, Promised: false, Arranged: true, Confirmed: true, Cancelled: true} {
		if got := (Shipment{ID: "s", State: state}).Visible(); got != want {
			t.Errorf("%s: %v, want %v", state, got, want)
		}
	}
}
