package domain

import "time"

// Behaviour is what the gateway does about a card when it is charged. It is all that is kept of a card, besides the last
// four digits, so that a later payment with the card of an earlier transaction behaves as the card itself.
type Behaviour string

// The behaviours of the test cards.
const (
	Pays     Behaviour = "pays"
	Declined Behaviour = "declined"
	Spent    Behaviour = "spent" // it is taken on file, and declined when it is charged
	Fails    Behaviour = "fails" // the gateway fails; nothing is charged
	Hangs    Behaviour = "hangs" // it is charged, but nobody hears of it
)

// testCards are the numbers that do not simply pay.
var testCards = map[string]Behaviour{
	"4000000000000002": Declined,
	"4000000000000341": Spent,
	"4000000000000119": Fails,
	"4000000000000259": Hangs,
}

// Card is a card as a request has it. It is never kept.
type Card struct {
	Number      string
	ExpiryMonth int
	ExpiryYear  int
}

// behaviour is what the number stands for; false when it is no card's.
func (c Card) behaviour() (Behaviour, bool) {
	if known, ok := testCards[c.Number]; ok {
		return known, true
	}
	return Pays, luhn(c.Number)
}

// expired reports whether the card's last month is over.
func (c Card) expired(at time.Time) bool {
	return !at.Before(time.Date(c.ExpiryYear, time.Month(c.ExpiryMonth)+1, 1, 0, 0, 0, 0, time.UTC))
}

func (c Card) last4() string { return c.Number[max(0, len(c.Number)-4):] }

// luhn checks a number's last digit (ISO/IEC 7812-1, annex B).
func luhn(number string) bool {
	sum := 0
	for i := range len(number) {
		digit := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
	}
	return number != "" && sum%10 == 0
}
