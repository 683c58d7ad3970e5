package saga

import (
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// State is where a saga is.
type State string

// The states of a saga. Completed and Compensated are final.
const (
	Running      State = "running"      // doing its steps
	Compensating State = "compensating" // undoing them
	Completed    State = "completed"    // all steps are done
	Compensated  State = "compensated"  // all steps that were done, or may have been, are undone
	Parked       State = "parked"       // waiting for a person: see Resume
)

// row is a saga in the table. Step is what it is at: to be done while it is running, to be undone while it is compensating,
// and "" when only the end is left. Attempts are those at this step that were begun, Harmless those known to have had no
// effect.
type row struct {
	bun.BaseModel `bun:"table:saga,alias:saga"`

	Name       string `bun:",pk"`
	ID         string `bun:",pk"`
	State      State
	Resumes    State // where a parked one goes on
	Step       string
	Done       stack // the steps done and not undone, in order
	Data       string
	Attempts   int
	Harmless   int
	Since      time.Time // when it came to Step
	Cause      string    // why it compensates
	LastError  string
	Origin     telemetry.Origin // where it was started
	CreatedAt  time.Time
	FinishedAt time.Time `bun:",nullzero"`
	Fence      int64
	DueAt      time.Time `bun:",nullzero"` // when it is to be worked on; none when finished or parked
}

// columns are those that an attempt changes.
var columns = []string{"state", "resumes", "step", "done", "data", "attempts", "harmless", "since", "cause", "last_error", "finished_at"}

// entry is a line of the log.
type entry struct {
	bun.BaseModel `bun:"table:saga_log"`

	Seq     int64 `bun:",pk,autoincrement"`
	Name    string
	ID      string
	Step    string
	Action  string
	Attempt int
	Error   string
	At      time.Time
}

// stack is a list of steps, in the table as JSON.
type stack []string

// action is what is to be done at the row's step.
func (r *row) action() string {
	switch {
	case r.Step == "":
		return actionDone
	case r.State == Compensating:
		return actionUndo
	}
	return actionDo
}

// moveTo has the row come to a step.
func (r *row) moveTo(step string, now time.Time) {
	r.Step, r.Since, r.Attempts, r.Harmless = step, now, 0, 0
}

// inDoubt reports whether an attempt at the step may have had an effect.
func (r *row) inDoubt() bool { return r.Attempts > r.Harmless }

func (r *row) String() string { return fmt.Sprintf("%s %s", r.Name, r.ID) }
