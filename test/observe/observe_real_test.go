//go:build real

package observe

import (
	"fmt"
	"testing"
	"time"
)

// TestWhatWatchesTheShopShowsWhatIsSo is one run of the shop: what is proven comes after the other, since each needs what was played
// before.
func TestWhatWatchesTheShopShowsWhatIsSo(t *testing.T) {
	began := time.Now()
	w := start(t)
	p := w.invite(t)
	t.Logf("the shop runs after %s", time.Since(began).Round(time.Second))

	t.Run("a failing service raises one alert", w.aFailingServiceRaisesOneAlert) // while nothing else fails
	t.Run("disturbed play", func(t *testing.T) { w.disturb(t, p) })
	played := time.Now()
	t.Run("an order is one trace", func(t *testing.T) { w.anOrderIsOneTrace(t, p) })
	last := w.decided(t)
	t.Run("panels show something", func(t *testing.T) { w.panelsShowSomething(t, began, played) })
	t.Run("edges are declared", w.edgesAreDeclared)
	t.Run("exemplars lead to traces", func(t *testing.T) { w.exemplarsLeadToTraces(t, last) })
	t.Run("error lines lead to traces", func(t *testing.T) { w.errorLinesLeadToTraces(t, last) })
	t.Run("sampling keeps what it should", func(t *testing.T) { w.samplingKeepsWhatItShould(t, last) })
	t.Run("nobody is named", w.nobodyIsNamed)
	show(t, fmt.Sprintf("All of it took %s", time.Since(began).Round(time.Second)), "")
}

// disturb plays in a shop that has faults of all kinds, so that whatever is shown of faults has something to show.
func (w *watched) disturb(t *testing.T, p *party) {
	w.play(t, p, 10*time.Second, "")
	w.mishaps(t, p)
	w.refund(t, p.people[0])
	w.poison(t)
	w.play(t, p, 15*time.Second, `{"delay":"700ms","share":0.15}`) // slower than any of them may be
	w.play(t, p, 15*time.Second, `{"error":503,"share":0.1}`)
}
