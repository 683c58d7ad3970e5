package consumer_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/expect/expecttest"
)

func TestConsumersCanReadTheEvents(t *testing.T) {
	l, published := newLab(t), map[string][]byte{}
	if err := l.handle(t.Context(), completed(t, "1")); err != nil {
		t.Fatal(err)
	}
	l.told(t)
	for _, e := range l.sent.Events() {
		published[e.Type()] = e.Data()
	}
	expecttest.VerifyEvents(t, "shipping", published)
}
