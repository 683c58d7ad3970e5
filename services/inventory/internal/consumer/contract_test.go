package consumer_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/expect/expecttest"
)

func TestConsumersCanReadTheEvents(t *testing.T) {
	l, published := newLab(t), map[string][]byte{}
	for order, milk := range map[string]int64{"there is enough": 1, "there is too little": 2} {
		if err := l.handle(t.Context(), created(t, order, 1, milk)); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range l.told(t) {
		published[e.Type()] = e.Data()
	}
	expecttest.VerifyEvents(t, "inventory", published)
}
