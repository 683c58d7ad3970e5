package chassis

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childVariable makes the test binary one of the programs in children instead of a test.
const childVariable = "CHASSIS_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		child := children[name]
		Main(child.spec, child.wire)
	}
	goleak.VerifyTestMain(m)
}
