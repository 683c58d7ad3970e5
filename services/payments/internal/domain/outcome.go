package domain

// Result is what the gateway told, in our words.
type Result string

// The results. Of them only Unknown says nothing; it is looked up until it is one of the others.
const (
	Success Result = "SUCCESS"
	Refused Result = "FAILED" // nothing was charged, nor will be
	Error   Result = "ERROR"  // the gateway failed; nothing was charged, nor will be
	Unknown Result = "UNKNOWN"
	Absent  Result = "ABSENT" // the gateway does not know the reference: it may be used
)

// Outcome is what became of a charge, a refund or a card.
type Outcome struct {
	Result        Result
	TransactionID string // the gateway's
	Reason        string // for people, and without anything secret
}
