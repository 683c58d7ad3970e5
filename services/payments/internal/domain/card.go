package domain

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Card is a card on its way to the gateway. However it is printed, logged or encoded, its number and code are not shown.
type Card struct {
	number, code string
	month, year  int
}

// NewCard takes a card's number, its last month and its code.
func NewCard(number string, month, year int, code string) Card {
	return Card{number: number, code: code, month: month, year: year}
}

// Reveal gives what only the gateway may see.
func (c Card) Reveal() (number string, month, year int, code string) {
	return c.number, c.month, c.year, c.code
}

// Last4 are the last digits, which may be shown.
func (c Card) Last4() string { return c.number[max(0, len(c.number)-4):] }

// brands are the first digits of the numbers that card schemes give out (ISO/IEC 7812 issuer identification).
var brands = []struct{ prefix, brand string }{
	{"34", "amex"}, {"37", "amex"}, {"4", "visa"}, {"51", "mastercard"}, {"52", "mastercard"}, {"53", "mastercard"},
	{"54", "mastercard"}, {"55", "mastercard"}, {"22", "mastercard"}, {"23", "mastercard"}, {"24", "mastercard"},
	{"25", "mastercard"}, {"26", "mastercard"}, {"27", "mastercard"}, {"6011", "discover"}, {"65", "discover"},
}

// Brand is the card's scheme, or "card".
func (c Card) Brand() string {
	for _, b := range brands {
		if strings.HasPrefix(c.number, b.prefix) {
			return b.brand
		}
	}
	return "card"
}

// Format shows the brand and the last digits, whatever the verb.
func (c Card) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.hidden())) }

// LogValue is Format for logs.
func (c Card) LogValue() slog.Value { return slog.StringValue(c.hidden()) }

// MarshalText is Format for encodings.
func (c Card) MarshalText() ([]byte, error) { return []byte(c.hidden()), nil }

func (c Card) hidden() string { return c.Brand() + " …" + c.Last4() }

// Method is a card on file: what is kept of it.
type Method struct {
	ID, CustomerID, Brand, Last4 string
	// Card is the gateway's name for the card.
	Card      string
	CreatedAt time.Time
}
