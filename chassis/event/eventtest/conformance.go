package eventtest

import "testing"

// Conformance checks what package event promises on the Kafka at brokers.
func Conformance(t *testing.T, brokers []string) {
	t.Helper()
	suite := []struct {
		name string
		test func(l *lab)
	}{
		{"an event arrives as it was published", arrivesWhole},
		{"the events of a key keep their order", keepsOrder},
		{"each group gets each event, the members of a group share them", groupsAndMembers},
		{"the trace and the ids go on in the consumer", tracePropagates},
		{"a refused event holds back its key alone", refusedHoldsKey},
		{"an invalid event is refused before it is sent", invalidIsRefused},
		{"publishing ends with its context", publishEndsWithContext},
		{"a failing handler is tried again", retries},
		{"an event that never succeeds becomes a dead letter", exhaustedIsDead},
		{"a permanent error makes a dead letter at once", permanentIsDead},
		{"a panic is an error", panicIsError},
		{"a handler that hangs is cut off", hangIsCutOff},
		{"a database that is away makes no dead letters", databaseAway},
		{"a stop does not wait for a database that is away", stopWhileAway},
		{"hostile records become dead letters", hostileRecords},
		{"a dead letter too large to keep is truncated", truncatedDeadLetter},
		{"a record with a huge key becomes a dead letter", hugeKey},
		{"a truncated dead letter is redriven whole", redriveTruncated},
		{"dead letters are redriven to their group alone", redrive},
		{"a letter whose clock was behind is not lost", invertedLetters},
		{"a stop finishes the event in hand and commits it", stopFinishes},
		{"an event whose retry was cut short comes again", stopDuringBackoff},
		{"a stop is not held up by a handler that hangs", stopIsBounded},
		{"members that come and go lose nothing and keep the order", rebalances},
	}
	for _, c := range suite {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(newLab(t, brokers))
		})
	}
}
