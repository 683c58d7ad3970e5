package domain

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rules is what is to follow from each message in each state: a state, or ! and why none does.
const rules = `
           | reserve    | release    | promise    | commit     | abort      | cancel     | complete
absent:    | reserved   | released   | promised   | !missing   | absent     | released   | !missing
promised:  | !promised  | !promised  | !promised  | taken      | absent     | released   | taken
reserved:  | reserved   | released   | !reserved  | !reserved  | reserved   | released   | taken
taken:     | taken      | !taken     | !taken     | taken      | !taken     | !taken     | taken
released:  | !released  | released   | !released  | !released  | released   | released   | !released
`

func TestEveryMessageInEveryState(t *testing.T) {
	reasons := map[string]error{
		"!missing": ErrNotReserved, "!promised": ErrPromised, "!reserved": ErrReserved, "!taken": ErrTaken, "!released": ErrReleased,
	}
	rows := strings.Split(strings.TrimSpace(strings.NewReplacer("|", "", ":", "").Replace(rules)), "\n")
	messages := strings.Fields(rows[0])
	lines := []Line{{ProductID: "tea", Quantity: 1}}
	for _, row := range rows[1:] {
		cells := strings.Fields(row)
		from := State(cells[0])
		if len(cells) != len(messages)+1 || len(outcomes[from]) != len(messages) {
			t.Fatalf("%s: %d rules and %d outcomes for %d messages", from, len(cells)-1, len(outcomes[from]), len(messages))
		}
		for i, cell := range cells[1:] {
			t.Run(cells[0]+"/"+messages[i], func(t *testing.T) {
				before := Reservation{OrderID: "1", State: from, Lines: lines}
				after, err := before.After(Message(messages[i]), lines)
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
	if after, err := (Reservation{State: Absent}).After("shred", nil); err == nil {
		t.Errorf("it was taken, and left %v", after)
	}
	if after, err := (Reservation{}).After(Reserve, nil); err == nil {
		t.Errorf("a reservation without a state became %v", after)
	}
}

func TestReserveSaidAgainMustAskForTheSame(t *testing.T) {
	tea, more := []Line{{"tea", 1}}, []Line{{"tea", 2}}
	for _, state := range []State{Reserved, Taken} {
		reservation := Reservation{State: state, Lines: tea}
		if _, err := reservation.After(Reserve, tea); err != nil {
			t.Errorf("%s: the same: %v", state, err)
		}
		if _, err := reservation.After(Reserve, more); !errors.Is(err, ErrDiffers) {
			t.Errorf("%s: more: error %v, want %v", state, err, ErrDiffers)
		}
	}
	for _, m := range []Message{Reserve, Promise} { // after an abort
		if after, err := (Reservation{State: Absent, Lines: tea}).After(m, more); err != nil || !cmp.Equal(after.Lines, more) {
			t.Errorf("%s: lines %v and %v, want %v", m, after.Lines, err, more)
		}
	}
}

func TestLinesOfOneProductAddUp(t *testing.T) {
	got, err := NewLines(Line{"tea", 2}, Line{"milk", 1}, Line{"tea", 3})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Line{{"milk", 1}, {"tea", 5}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewLinesRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		lines []Line
		want  error
	}{
		"nothing":           {nil, ErrEmpty},
		"no product":        {[]Line{{"", 1}}, ErrProduct},
		"no pieces":         {[]Line{{"tea", 0}}, ErrQuantity},
		"less than nothing": {[]Line{{"tea", 5}, {"tea", -1}}, ErrQuantity},
		"too many":          {[]Line{{"tea", mostPieces + 1}}, ErrQuantity},
		"too many in sum":   {[]Line{{"tea", mostPieces}, {"tea", 1}}, ErrQuantity},
		"an overflow":       {[]Line{{"tea", 1}, {"tea", 1<<63 - 1}}, ErrQuantity},
	} {
		t.Run(name, func(t *testing.T) {
			if lines, err := NewLines(test.lines...); !errors.Is(err, test.want) {
				t.Errorf("%v and %v, want %v", lines, err, test.want)
			}
		})
	}
}
